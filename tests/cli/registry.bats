# SPDX-License-Identifier: Apache-2.0
# Images to and from a registry, Debian's own.

load common
load registry

setup_file() {
	command -v docker-registry >/dev/null || return 0
	private_store
	am_root || return 0
	registry_environment
	start_registry open
	htpasswd -Bbn ann secret >"$BATS_FILE_TMPDIR/htpasswd" 2>/dev/null
	make_certificates "$BATS_FILE_TMPDIR/tls"
	start_registry closed "  tls: {certificate: $BATS_FILE_TMPDIR/tls/server.crt, key: $BATS_FILE_TMPDIR/tls/server.key}
auth:
  htpasswd: {realm: test, path: $BATS_FILE_TMPDIR/htpasswd}"
	ctx=$BATS_FILE_TMPDIR/ctx
	mkdir -p "$ctx"
	head -c 300000 /dev/urandom >"$ctx/big"
	dockerfile <<-'END'
		FROM busybox
		RUN echo one >/one
		COPY big /big
		ENV A=b
	END
	stave build -q -t img "$ctx" >/dev/null
}

teardown_file() { stop_registries; }

setup() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
	export STAVE_ROOT DOCKER_CONFIG
	first=$STAVE_ROOT
	second=$BATS_TEST_TMPDIR/second
}

# The other machine.
other() { STAVE_ROOT=$second stave "$@"; }

id_of() { stave inspect --format '{{.Id}}' "$1"; }

# The digest that push said.
pushed() { stave push "$1" | sed -n 's/.* digest: \(sha256:[0-9a-f]*\) .*/\1/p'; }

@test "push, and pull on another machine: the same image" {
	stave tag img "$open/a/img:1"
	run stave push "$open/a/img:1"
	ended 0
	has "$output" "The push refers to repository [$open/a/img]"
	has "$output" ": Pushed"
	digest=$(sed -n 's/^1: digest: \(sha256:[0-9a-f]\{64\}\) size: [0-9]*$/\1/p' <<<"$output")
	[ -n "$digest" ]

	run other pull "$open/a/img:1"
	ended 0
	is "${lines[0]}" "1: Pulling from a/img"
	has "$output" ": Pull complete"
	has "$output" "Digest: $digest"
	has "$output" "Status: Downloaded newer image for $open/a/img:1"
	is "${lines[-1]}" "$open/a/img:1"
	is "$(other inspect --format '{{.Id}}' "$open/a/img:1")" "$(id_of img)"
	is "$(other inspect --format '{{index .RepoDigests 0}}' "$open/a/img:1")" "$open/a/img@$digest"
	is "$(other images --digests --format "{{.Tag}} {{.Digest}}" "$open/a/img")" "1 $digest"
	is "$(other run --rm --network none "$open/a/img:1" /bin/busybox cat /one)" one
	other system check
}

@test "what is there is not sent and not fetched again" {
	stave tag img "$open/again"
	stave push -q "$open/again" >/dev/null
	run stave push "$open/again"
	ended 0
	is "$(grep -c ': Layer already exists' <<<"$output")" 3
	hasnt "$output" Pushed

	other pull -q "$open/again" >/dev/null
	run other pull "$open/again"
	ended 0
	is "${lines[0]}" "Using default tag: latest"
	has "$output" "Status: Image is up to date for $open/again:latest"
	hasnt "$output" "Pull complete"
	is "$(other pull -q "$open/again")" "$open/again:latest"
	# nor is anything written again
	local before
	before=$(sha256sum "$second"/stave.db{,-wal})
	other pull -q "$open/again" >/dev/null
	is "$(sha256sum "$second"/stave.db{,-wal})" "$before"
	# but what is missing, and a name that means something else
	other tag "$open/again" kept
	other rmi "$open/again" >/dev/null
	has "$(other pull "$open/again")" "Status: Downloaded newer image"
	has "$(other inspect --format '{{.RepoDigests}}' kept)" "[$open/again@sha256:"
	tar -c -T /dev/null | other import - "$open/again" >/dev/null
	has "$(other pull "$open/again")" "Status: Downloaded newer image"
	is "$(other inspect --format '{{.Id}}' "$open/again")" "$(id_of img)"
}

@test "layers of another repository are mounted" {
	stave tag img "$open/from"
	stave tag img "$open/to/it"
	stave push -q "$open/from" >/dev/null
	run stave push "$open/to/it"
	ended 0
	is "$(grep -c ': Mounted from ' <<<"$output")" 3
}

@test "by digest, as a name of the image too" {
	stave tag img "$open/d"
	digest=$(pushed "$open/d")
	other pull -q "$open/d@$digest"
	is "$(other inspect --format '{{.Id}}' "$open/d@$digest")" "$(id_of img)"
	is "$(other inspect --format '{{.RepoTags}}' "$open/d@$digest")" '[]'
	is "$(other images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}')" "$open/d <none> $digest"
	is "$(stave images --digests --format '{{.Digest}}' "$open/d")" "$digest"
	run other pull "$open/d@sha256:$(printf '%064d' 1)"
	ended 1
	has "$output" "not found"
}

@test "all tags" {
	stave tag img "$open/all:one"
	stave tag busybox "$open/all:two"
	run stave push -a "$open/all"
	ended 0
	has "$output" "one: digest: "
	has "$output" "two: digest: "
	other pull -a -q "$open/all"
	is "$(other inspect --format '{{.Id}}' "$open/all:two")" "$(id_of busybox)"
	is "$(other inspect --format '{{.Id}}' "$open/all:one")" "$(id_of img)"
}

@test "skopeo reads what we push, and we what it pushes: digests stay" {
	command -v skopeo >/dev/null || skip "needs skopeo"
	stave tag img "$open/s:1"
	digest=$(pushed "$open/s:1")
	skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format v2s2 \
		"docker://$open/s:1" "docker://$open/s:docker"
	skopeo copy -q --src-tls-verify=false "docker://$open/s:1" "oci:$BATS_TEST_TMPDIR/oci:1"
	is "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$open/s:1")" "$digest"

	# and out again, under another name, with the bytes that it came with
	theirs=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$open/s:docker")
	differ "$theirs" "$digest"
	other pull -q "$open/s:docker"
	other tag "$open/s:docker" "$open/s:back"
	STAVE_ROOT=$second is "$(STAVE_ROOT=$second pushed "$open/s:back")" "$theirs"
	other system check
}

@test "an index: the image for this machine, or for the platform that is asked for" {
	stave tag img "$open/index:x"
	stave push -q "$open/index:x" >/dev/null
	python3 - "$open" <<-'END'
		import json, sys, urllib.request
		base = f"http://{sys.argv[1]}/v2/index/manifests/"
		oci = "application/vnd.oci.image."
		r = urllib.request.Request(base + "x", headers={"Accept": oci + "manifest.v1+json"})
		body = urllib.request.urlopen(r)
		digest, data = body.headers["Docker-Content-Digest"], body.read()
		one = {"mediaType": oci + "manifest.v1+json", "digest": digest, "size": len(data)}
		def put(tag, platforms):
		    index = {"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": [
		        {**one, "platform": {"os": "linux", "architecture": a}} for a in platforms]}
		    urllib.request.urlopen(urllib.request.Request(base + tag, json.dumps(index).encode(),
		        {"Content-Type": oci + "index.v1+json"}, method="PUT"))
		put("all", ["amd64", "arm64", "s390x"])
		put("none", ["s390x"])
	END
	other pull -q "$open/index:all"
	is "$(other inspect --format '{{.Id}}' "$open/index:all")" "$(id_of img)"
	run other pull "$open/index:none"
	ended 1
	has "$output" "no matching manifest for linux/"
	run other pull --platform linux/riscv64 "$open/index:all"
	ended 1
	has "$output" "no matching manifest for linux/riscv64 in the manifest list entries"
}

@test "run, FROM and COPY --from pull what is missing" {
	stave tag img "$open/base:1"
	stave push -q "$open/base:1" >/dev/null
	run --separate-stderr other run --rm --network none "$open/base:1" /bin/busybox cat /one
	ended 0
	is "$output" one
	has "$stderr" "Unable to find image '$open/base:1' locally"
	has "$stderr" "1: Pulling from base"
	has "$stderr" "Status: Downloaded newer image for $open/base:1"
	run other run --rm --pull never --network none "$open/base:2" true
	ended 125
	has "$output" "No such image: $open/base:2"

	second=$BATS_TEST_TMPDIR/third
	printf 'FROM %s\nCOPY --from=%s /big /copy\nRUN cat /one\n' "$open/base:1" "$open/base:1" >"$ctx/Dockerfile"
	run other build --progress=plain -t t "$ctx"
	ended 0
	has "$output" "[internal] pull $open/base:1"
	is "$(grep -c 'internal\] pull' <<<"$output")" 1
	run other build --progress=plain -t t "$ctx"
	hasnt "$output" "[internal] pull"
	stave tag busybox "$open/base:1"
	stave push -q "$open/base:1" >/dev/null
	run other build --progress=plain --pull "$ctx"
	ended 1
	has "$output" "/big"
	run other run --rm --pull always --network none "$open/base:1" cat /one
	ended 1
	printf 'FROM %s\n' "$open/nothing" >"$ctx/Dockerfile"
	run other build "$ctx"
	ended 1
	has "$output" "$open/nothing: failed to resolve source metadata for $open/nothing:latest: manifest for $open/nothing:latest not found"
}

@test "build --push, and what it sent before is not packed again" {
	printf 'FROM %s\nCOPY Dockerfile /it\n' busybox >"$ctx/Dockerfile"
	run stave build --progress=plain --push -t "$open/built:1" -t "$open/too:1" "$ctx"
	ended 0
	has "$output" "pushing to registry"
	digest=$(stave inspect --format '{{index .RepoDigests 0}}' "$open/built:1")
	is "$(pushed "$open/built:1")" "${digest#*@}"
	other pull -q "$open/too:1"
	is "$(other inspect --format '{{.Id}}' "$open/too:1")" "$(id_of "$open/built:1")"
	sent() { find "$BATS_FILE_TMPDIR/open.d/data" -name data | wc -l; }
	before=$(sent)
	stave build -q -o "type=image,push=true,name=$open/third" "$ctx"
	is "$(sent)" "$before"
	stave build -q -o "type=registry,name=$open/zstd,compression=zstd" "$ctx"
	other pull -q "$open/zstd"
	is "$(other inspect --format '{{.Id}}' "$open/zstd")" "$(id_of "$open/built:1")"
}

@test "several platforms, pushed as an index; statements beside an image" {
	printf 'FROM scratch\nCOPY Dockerfile /it\n' >"$ctx/Dockerfile"
	stave build -q --platform linux/amd64,linux/arm64 --push -t "$open/multi" "$ctx"
	other pull -q --platform linux/arm64 "$open/multi"
	is "$(other inspect --format '{{.Architecture}}' "$open/multi")" arm64
	is "$(stave images -q "$open/multi")" ""
	stave build -q --provenance=mode=max --push -t "$open/proved" "$ctx"
	other pull -q "$open/proved"
}

@test "connections that are cut at random: all comes through" {
	head -c 8500000 /dev/urandom >"$ctx/noise"
	head -c 3000000 /dev/urandom >"$ctx/more"
	printf 'FROM busybox\nCOPY noise /\nCOPY more /\n' >"$ctx/Dockerfile"
	local seed cut id
	for seed in 1 2 3 4; do
		python3 "$BATS_TEST_DIRNAME/cutter.py" "$BATS_TEST_TMPDIR/port" "${open#*:}" $seed 3>&- &
		echo $! >"$BATS_TEST_TMPDIR/pid"
		settled test -s "$BATS_TEST_TMPDIR/port"
		cut=localhost:$(cat "$BATS_TEST_TMPDIR/port")
		id=$(stave build -q --no-cache --label "seed=$seed" -t "$cut/cut/$seed" "$ctx")
		stave push -q "$cut/cut/$seed"
		second=$BATS_TEST_TMPDIR/store$seed
		other pull -q "$cut/cut/$seed"
		is "$(other inspect --format '{{.Id}}' "$cut/cut/$seed")" "$id"
		other system check
		kill "$(cat "$BATS_TEST_TMPDIR/pid")"
		rm "$BATS_TEST_TMPDIR/port"
	done
}

# A proxy to the port $2 that is gone once $3 bytes have come back; its own port is in the file $1.
gone_after() {
	python3 - "$@" 3>&- <<-'END' &
		import os, socket, sys, threading
		left, lock = int(sys.argv[3]), threading.Lock()
		def pump(source, sink, counts):
		    global left
		    while data := source.recv(65536):
		        with lock:
		            if counts:
		                left -= len(data)
		            if left < 0:
		                sink.sendall(data[:left])
		                os._exit(0)
		        sink.sendall(data)
		    sink.shutdown(socket.SHUT_WR)
		server = socket.create_server(("127.0.0.1", 0))
		print(server.getsockname()[1], file=open(sys.argv[1], "w"))
		while True:
		    client, up = server.accept()[0], socket.create_connection(("127.0.0.1", int(sys.argv[2])))
		    threading.Thread(target=pump, args=(client, up, False), daemon=True).start()
		    threading.Thread(target=pump, args=(up, client, True), daemon=True).start()
	END
	settled test -s "$1"
}

@test "a mirror that breaks, has lost a layer, or lies: the next one is asked, and the registry" {
	start_registry mirror
	registry_quiet=false start_registry origin
	head -c 3000000 /dev/urandom >"$ctx/noise"
	printf 'FROM busybox\nCOPY noise /\n' >"$ctx/Dockerfile"
	id=$(stave build -q -t "$mirror/m" -t "$origin/m" "$ctx")
	stave push -q "$mirror/m"
	stave push -q "$origin/m"
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	gone_after "$BATS_TEST_TMPDIR/port" "${mirror#*:}" 2500000
	from() {
		printf '[[registry]]\nlocation = "%s"\n' "$origin"
		printf '[[registry.mirror]]\nlocation = "%s"\n' "$@"
	}
	from "localhost:$(cat "$BATS_TEST_TMPDIR/port")" >"$CONTAINERS_REGISTRIES_CONF"
	log=$BATS_FILE_TMPDIR/origin.d/log
	other pull -q "$origin/m"
	is "$(other inspect --format '{{.Id}}' "$origin/m")" "$id"
	# what had come was kept: the rest of a layer was asked for, and no manifest
	grep -q 'GET /v2/m/blobs/[^ ]* HTTP/1.1" 206' "$log"
	run grep -c 'GET /v2/m/manifests' "$log"
	is "$output" 0

	blobs=$BATS_FILE_TMPDIR/mirror.d/data/docker/registry/v2/blobs/sha256
	noise=$(ls -S "$blobs"/*/*/data | head -1)
	from "$mirror" "localhost:1" >"$CONTAINERS_REGISTRIES_CONF"
	# another byte in it
	printf x | dd of="$noise" bs=1 seek=2000000 conv=notrunc status=none
	second=$BATS_TEST_TMPDIR/third
	other pull -q "$origin/m"
	is "$(other inspect --format '{{.Id}}' "$origin/m")" "$id"
	other system check
	# the layer, and then the config as well
	for lost in "$noise" "$blobs/${id:7:2}/${id:7}/data"; do
		rm "$lost"
		second=$BATS_TEST_TMPDIR/without-$(basename "$(dirname "$lost")")
		other pull -q "$origin/m"
		is "$(other inspect --format '{{.Id}}' "$origin/m")" "$id"
	done
	kill "$(cat "$BATS_FILE_TMPDIR/origin.d/pid")"
	second=$BATS_TEST_TMPDIR/nobody
	run other pull -q "$origin/m"
	ended 1
	has "$output" "$origin"
}

@test "on a terminal each layer has a line of its own, drawn again" {
	command -v script >/dev/null || skip "needs script"
	stave tag img "$open/tty"
	run script -qec "TERM=xterm stave push $open/tty" /dev/null
	ended 0
	has "$output" $'\033[3A'
	has "$output" "latest: digest: sha256:"
	run script -qec "TERM=xterm STAVE_ROOT=$second stave pull $open/tty" /dev/null
	ended 0
	has "$output" $'\033[3A'
	has "$output" "Pull complete"
	has "$output" "Status: Downloaded newer image for $open/tty:latest"
}

@test "push and rmi for a platform: the image must be for it" {
	local arch
	arch=$(stave inspect --format '{{.Architecture}}' img)
	stave tag img "$open/platform:1"
	run stave push --platform linux/s390x "$open/platform:1"
	ended 1
	has "$output" " Info -> Using --platform pushes only the specified platform manifest"
	is "${lines[-1]}" "stave: image with reference $open/platform:1 was found but its platform (linux/$arch) does not match the specified platform (linux/s390x)"
	hasnt "$output" "The push refers"
	has "$(stave push --platform "linux/$arch" "$open/platform:1")" "1: digest: sha256:"
	run stave rmi --platform linux/s390x "$open/platform:1"
	ended 1
	has "$output" "does not match the specified platform (linux/s390x)"
	has "$(stave rmi --platform "linux/$arch" "$open/platform:1")" "Untagged: $open/platform:1"
}

@test "a pull of many layers: those that wait say so" {
	{
		echo FROM scratch
		for i in 1 2 3 4 5 6; do
			echo "$i" >"$ctx/$i"
			echo "COPY $i /"
		done
	} >"$ctx/Dockerfile"
	stave build -q --push -t "$open/many" "$ctx"
	run other pull "$open/many"
	ended 0
	is "$(grep -c ': Pulling fs layer$' <<<"$output")" 6
	is "$(grep -c ': Waiting$' <<<"$output")" 2
	first=${lines[2]%%:*}
	is "$(sed -n "s/^$first: //p" <<<"$output")" "Pulling fs layer
Verifying Checksum
Download complete
Pull complete"
}

@test "what does not exist" {
	run stave pull "$open/nothing"
	ended 1
	has "$output" "manifest for $open/nothing:latest not found: manifest unknown"
	run stave push "$open/nothing"
	ended 1
	has "$output" "An image does not exist locally with the tag: $open/nothing"
	run stave pull "localhost:1/x"
	ended 1
	has "$output" "localhost"
}

@test "login: with an authority of our own, then pull and push" {
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker DOCKER_CERTS_DIR=$BATS_TEST_TMPDIR
	mkdir -p "$BATS_TEST_TMPDIR/certs.d/$closed"
	cp "$BATS_FILE_TMPDIR/tls/ca.crt" "$BATS_TEST_TMPDIR/certs.d/$closed/"
	stave tag img "$closed/t"
	run stave push "$closed/t"
	ended 1
	has "$output" "no basic auth credentials"
	run stave login -u ann --password-stdin "$closed" <<<wrong
	ended 1
	has "$output" "login attempt to https://$closed/v2/ failed with status: 401 Unauthorized"
	[ ! -e "$DOCKER_CONFIG/config.json" ]

	run stave login -u ann --password-stdin "$closed" <<<secret
	ended 0
	is "${lines[-1]}" "Login Succeeded"
	is "$(stat -c %a "$DOCKER_CONFIG/config.json")" 600
	is "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["auths"][sys.argv[2]]["auth"])' \
		"$DOCKER_CONFIG/config.json" "$closed")" "$(printf 'ann:secret' | base64)"
	stave push -q "$closed/t"
	other pull -q "$closed/t"
	run stave logout "$closed"
	is "$output" "Removing login credentials for $closed"
	run stave logout "$closed"
	is "$output" "Removing login credentials for $closed"
	run other pull "$closed/t"
	ended 1
}

@test "a certificate of somebody else is refused where an authority is named" {
	export DOCKER_CERTS_DIR=$BATS_TEST_TMPDIR
	make_certificates "$BATS_TEST_TMPDIR/other"
	mkdir -p "$BATS_TEST_TMPDIR/certs.d/$closed"
	cp "$BATS_TEST_TMPDIR/other/ca.crt" "$BATS_TEST_TMPDIR/certs.d/$closed/"
	run stave pull "$closed/t"
	ended 1
	has "$output" certificate
}

@test "a credential helper keeps the secret, and the file has none" {
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
	mkdir -p "$DOCKER_CONFIG" "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/docker-credential-jar" <<-END
		#!/bin/sh
		case \$1 in
		store) cat >$BATS_TEST_TMPDIR/jar ;;
		get) [ -e $BATS_TEST_TMPDIR/jar ] && cat $BATS_TEST_TMPDIR/jar && exit
			echo 'credentials not found in native keychain'; exit 1 ;;
		erase) rm -f $BATS_TEST_TMPDIR/jar ;;
		esac
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-jar"
	echo "{\"credHelpers\": {\"$closed\": \"jar\"}, \"detachKeys\": \"ctrl-x\"}" >"$DOCKER_CONFIG/config.json"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	stave login -u ann --password-stdin "$closed" <<<secret
	has "$(cat "$BATS_TEST_TMPDIR/jar")" secret
	hasnt "$(cat "$DOCKER_CONFIG/config.json")" "$(printf 'ann:secret' | base64)"
	has "$(cat "$DOCKER_CONFIG/config.json")" ctrl-x
	stave tag img "$closed/helped"
	stave push -q "$closed/helped"
	stave logout "$closed"
	[ ! -e "$BATS_TEST_TMPDIR/jar" ]
}
