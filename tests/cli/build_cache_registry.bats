# SPDX-License-Identifier: Apache-2.0
# A build cache that is carried from one machine to another by a registry.

load common
load registry

setup_file() {
	command -v docker-registry >/dev/null || return 0
	private_store
	am_root || return 0
	export docker_home=$HOME docker_config=${DOCKER_CONFIG:-$HOME/.docker}
	registry_environment
	registry_quiet=false start_registry open
	start_registry other
}

teardown_file() { stop_registries; }

setup() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
	export STAVE_ROOT DOCKER_CONFIG
	name=c$BATS_TEST_NUMBER/app
	ref=$open/$name:cache
	mkdir -p "$ctx/src"
	echo hello >"$ctx/src/a"
	dockerfile <<-END
	FROM busybox AS builder
	WORKDIR /w
	RUN head -c 300000 /dev/urandom > made; echo $BATS_TEST_NUMBER > number
	COPY src src
	FROM busybox
	COPY --from=builder /w/made /made
	COPY src/a /a
	RUN --mount=from=builder,source=/w/src,target=/b cp /b/a /last
	END
}

home() { export STAVE_ROOT=$BATS_FILE_TMPDIR/store; }

to() { echo "--cache-to=type=registry,ref=$ref${1:+,$1}"; }

all_cached() {
	ended 0
	is "$(cached)" 7
	hasnt "$output" "not used"
	hasnt "$output" ERROR
}

id_of() { stave inspect --format '{{.Id}}' "$1"; }
layer_count() { find "$STAVE_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l; }

# METHODS: how many requests the registry had for our repository since forget_requests
requests() {
	tail -n +"$((seen + 1))" "$BATS_FILE_TMPDIR/open.d/log" |
		grep -cE "\"($1) /v2/${2-$name/}" || true
}
forget_requests() { seen=$(wc -l <"$BATS_FILE_TMPDIR/open.d/log"); }

accept='Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json'
# [PATH[:TAG]]: the manifest there
manifest() {
	local at=${1-$name:cache}
	curl -sf -H "$accept" "http://$open/v2/${at%:*}/manifests/${at##*:}"
}
# FILTER: of the document of our cache
document() {
	curl -sf "http://$open/v2/$name/blobs/$(manifest | jq -r .config.digest)" | jq -r "$1"
}
# FILE: puts it there as a blob of our repository, and says its digest
put_blob() {
	local digest where
	digest=sha256:$(sha256sum <"$1" | cut -d' ' -f1)
	where=$(curl -sf -X POST -D- -o /dev/null "http://$open/v2/$name/blobs/uploads/" |
		tr -d '\r' | sed -n 's/^Location: //p')
	curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" \
		"$where&digest=$digest" >/dev/null
	echo "$digest"
}
# TYPE: standard input, as the manifest of our tag
put_manifest() {
	curl -sf -X PUT -H "Content-Type: $1" --data-binary @- "http://$open/v2/$name/manifests/cache"
}
# FILTER: puts another document in the place of ours
forge() {
	local digest
	document . >"$BATS_TEST_TMPDIR/was"
	jq -c "$1" "$BATS_TEST_TMPDIR/was" >"$BATS_TEST_TMPDIR/document"
	digest=$(put_blob "$BATS_TEST_TMPDIR/document")
	manifest | jq -c ".config.digest = \"$digest\" |
		.config.size = $(stat -c %s "$BATS_TEST_TMPDIR/document")" |
		put_manifest application/vnd.oci.image.manifest.v1+json
}
# DIGEST: the registry's own file
file_of() { echo "$BATS_FILE_TMPDIR/open.d/data/docker/registry/v2/blobs/sha256/${1:7:2}/${1:7}/data"; }

# ---- from machine to machine ----

@test "mode=max: another machine runs nothing, fetches what it needs, gets the same image" {
	build_log "$(to mode=max)"
	ended 0
	has "$output" "exporting cache to registry"
	has "$output" "writing layer sha256:"
	has "$output" "writing config sha256:"
	has "$output" "writing cache image manifest $(manifest | sha256sum | sed 's/^/sha256:/; s/ .*//')"
	local id
	id=$(id_of t)
	elsewhere
	forget_requests
	build_log --cache-from "$ref"
	all_cached
	has "$output" "importing cache manifest from $ref"
	has "$output" "inferred cache manifest type: application/vnd.oci.image.manifest.v1+json"
	grep -Eq '^#[0-9]+ [0-9.]+kB / [0-9.]+kB$' <<<"${output#*importing cache layers from "$ref"}"
	is "$(id_of t)" "$id"
	has "$(stave build why 'stage-1 4/4')" "came from the cache $ref"
	is "$(stave build why --format json | jq -r '[.steps[].cache | values] | unique | tostring')" "[\"$ref\"]"
	is "$(in_t cat /a /last)" "$(printf 'hello\nhello')"
	is "$(in_t sh -c 'wc -c < /made')" 300000
	# the document and the three layers of the result; what the builder made was not asked for
	is "$(requests GET "$name/blobs/")" 4
	is "$(layer_count)" 4
	is "$(ls "$STAVE_ROOT/cache/pull")" ""
	store_is_clean
}

@test "mirrors: what has not the cache is passed over, what has it does not stand for the registry" {
	build "$(to mode=max)"
	build --cache-to "type=registry,mode=max,ref=$other/$name/mirrored:later"
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	printf '[[registry]]\nlocation = "%s"\n[[registry.mirror]]\nlocation = "%s"\n' \
		"$open" "$other" >"$CONTAINERS_REGISTRIES_CONF"
	elsewhere
	build_log --cache-from "$ref"
	all_cached
	is "$(in_t cat /a /last)" "$(printf 'hello\nhello')"
	# the mirror has this very cache under this tag, and the registry not yet
	home
	build --cache-to "type=registry,mode=max,ref=$open/$name/mirrored:later"
	is "$(manifest "$name/mirrored:later" | jq '.layers | length')" 6
}

@test "mode=min, which is the default: only the result's layers, and still nothing runs" {
	build "$(to)"
	is "$(manifest | jq '.layers | length')" 3
	is "$(document '[.records[] | select(.stave.diffID)] | length')" 6
	elsewhere
	build_log --cache-from "type=registry,ref=$ref"
	all_cached
	# files of a step that has none there: it runs, and what needs it
	echo 'COPY --from=builder /w/number /number' >>"$ctx/Dockerfile"
	elsewhere 2
	build_log --cache-from "$ref"
	ended 0
	is "$(in_t sh -c 'cat /number')" "$BATS_TEST_NUMBER"
	store_is_clean
}

@test "the layers of other stages come when a step needs them" {
	build "$(to mode=max)"
	elsewhere
	echo 'COPY --from=builder /w/number /number' >>"$ctx/Dockerfile"
	build_log --cache-from "$ref"
	ended 0
	is "$(cached)" 7
	is "$(in_t cat /number)" "$BATS_TEST_NUMBER"
	store_is_clean
}

@test "what the registry has is not sent again" {
	build "$(to mode=max)"
	forget_requests
	build_log "$(to mode=max)"
	is "$(cached)" 7
	has "$output" "writing cache image manifest"
	is "$(requests 'POST|PUT|PATCH')" 0
	# nor by another machine, which has not even got it
	elsewhere
	forget_requests
	build_log --cache-from "$ref" "$(to mode=max)"
	all_cached
	is "$(requests 'POST|PUT|PATCH')" 0
	is "$(layer_count)" 4
	# one step: its layer, the document, the manifest
	echo 'RUN echo more > /more' >>"$ctx/Dockerfile"
	forget_requests
	build_log --cache-from "$ref" "$(to mode=max)"
	is "$(requests PUT "$name/blobs/")" 2
	is "$(requests PUT "$name/manifests/")" 1
	home
	build_log --cache-from "$ref"
	is "$(cached)" 8
}

@test "to another repository, another registry, a directory and back" {
	build "$(to mode=max)"
	elsewhere
	forget_requests
	build_log --cache-from "$ref" --cache-to "type=registry,ref=$open/${name}2:x,mode=max"
	all_cached
	# mounted, but for the document
	is "$(requests PUT "${name}2/blobs/")" 1
	elsewhere 2
	build_log --cache-from "$open/${name}2:x" --cache-to "type=registry,ref=$other/b,mode=max"
	all_cached
	elsewhere 3
	build_log --cache-from "$other/b" --cache-to "type=local,dest=$BATS_TEST_TMPDIR/dir,mode=max"
	all_cached
	elsewhere 4
	build_log --cache-from "type=local,src=$BATS_TEST_TMPDIR/dir" \
		--cache-to "type=registry,ref=$other/c,mode=max"
	all_cached
	elsewhere 5
	build_log --cache-from "$other/c"
	all_cached
	# that it passes on, and does not keep
	is "$(ls "$STAVE_ROOT/cache/pull")" ""
	store_is_clean
}

@test "a change runs what it must" {
	build "$(to mode=max)"
	elsewhere
	echo changed >"$ctx/src/a"
	build_log --cache-from "$ref"
	ended 0
	is "$(in_t cat /a /last)" "$(printf 'changed\nchanged')"
	# FROM, WORKDIR, RUN, COPY --from
	is "$(cached)" 4
	# --no-cache takes nothing
	build_log --cache-from "$ref" --no-cache
	is "$(cached)" 1
}

@test "several caches, of which some are missing" {
	build "$(to)"
	elsewhere
	build_log --cache-from "$open/$name:none" --cache-from "$open/nobody" --cache-from "$ref"
	ended 0
	is "$(cached)" 7
	has "$output" "importing cache manifest from $open/$name:none"
	has "$output" "ERROR: failed to configure registry cache importer: manifest for $open/$name:none not found"
	elsewhere 2
	build_log --cache-from "localhost:1/nobody"
	ended 0
	has "$output" "ERROR: failed to configure registry cache importer"
}

@test "several platforms in one cache" {
	printf 'FROM scratch\nCOPY src/a /a\nCOPY src /b\n' >"$ctx/Dockerfile"
	local both=(--platform linux/amd64,linux/arm64 -o "type=oci,dest=$BATS_TEST_TMPDIR/out.tar")
	stave build -q "${both[@]}" "$(to mode=max)" "$ctx" >/dev/null
	is "$(document '[.records[] | select(.stave.diffID)] | length')" 4
	elsewhere
	run stave build --progress=plain "${both[@]}" --cache-from "$ref" "$ctx"
	ended 0
	is "$(cached)" 4
	# and what neither wants any more goes
	home
	printf 'FROM scratch\nCOPY src /b\n' >"$ctx/Dockerfile"
	stave build -q "${both[@]}" "$(to mode=max)" "$ctx" >/dev/null
	is "$(document '[.records[] | select(.stave.diffID)] | length')" 2
}

# ---- the form ----

@test "the manifest is BuildKit's, or its index, or Docker's" {
	build "$(to)"
	is "$(manifest | jq -r '.mediaType, .config.mediaType')" \
		"$(printf 'application/vnd.oci.image.manifest.v1+json\napplication/vnd.buildkit.cacheconfig.v0')"
	is "$(document '.layers | map(.parent) | unique | tostring')" "[-1]"
	is "$(document '.records[0].digest[:7]')" "sha256:"
	is "$(manifest | jq -r '.layers[0].annotations["containerd.io/uncompressed"]')" \
		"$(document '.layers[0].annotations.diffID')"
	build_log "$(to image-manifest=false)"
	has "$output" "writing cache manifest sha256:"
	is "$(manifest | jq -r '.mediaType, .manifests[-1].mediaType')" \
		"$(printf 'application/vnd.oci.image.index.v1+json\napplication/vnd.buildkit.cacheconfig.v0')"
	elsewhere
	build_log --cache-from "$ref"
	all_cached
	has "$output" "inferred cache manifest type: application/vnd.oci.image.index.v1+json"
	home
	build "$(to oci-mediatypes=false)"
	is "$(manifest | jq -r .mediaType)" application/vnd.docker.distribution.manifest.list.v2+json
	elsewhere 2
	build_log --cache-from "$ref"
	all_cached
}

@test "compressions; what is packed in another way stays unless it is forced" {
	local how
	for how in uncompressed gzip zstd; do
		home
		build "$(to "mode=max,compression=$how,force-compression=true")"
		has "$(manifest | jq -r '.layers[0].mediaType')." \
			"$(case $how in uncompressed) echo v1.tar. ;; *) echo "tar+$how." ;; esac)"
		elsewhere "$how"
		build_log --cache-from "$ref"
		all_cached
	done
	home
	build "$(to "mode=max,compression=gzip")"
	has "$(manifest | jq -r '.layers[0].mediaType')" "tar+zstd"
}

@test "Docker takes it for a cache, and ours says what Docker's is" {
	docker() { HOME=$docker_home DOCKER_CONFIG=$docker_config command docker "$@"; }
	docker info >/dev/null 2>&1 || skip "needs Docker"
	docker buildx version >/dev/null 2>&1 || skip "needs buildx"
	build "$(to mode=max)"
	run docker buildx imagetools inspect "$ref"
	[ "$status" = 0 ] || skip "Docker does not see this registry"
	has "$output" "application/vnd.oci.image.manifest.v1+json"
	printf 'FROM scratch\nCOPY src/a /a\n' >"$ctx/Dockerfile"
	run docker build --progress=plain -t stave-test-inline --cache-from "$ref" \
		--build-arg BUILDKIT_INLINE_CACHE=1 --provenance=false "$ctx"
	ended 0
	has "$output" "importing cache manifest from $ref"
	hasnt "$output" ERROR
	docker tag stave-test-inline "$open/$name:docker"
	docker push -q "$open/$name:docker"
	docker rmi stave-test-inline "$open/$name:docker" >/dev/null
	build_log --cache-from "$open/$name:docker"
	ended 0
	has "$output" "written by BuildKit"
}

# ---- in the image ----

@test "type=inline: the image is its own cache" {
	stave build -q -t "$open/$name:1" --cache-to type=inline "$ctx" >/dev/null
	local id
	id=$(id_of "$open/$name:1")
	stave push -q "$open/$name:1"
	# each record is BuildKit's; nothing of what a step said is there
	config=$(curl -sf "http://$open/v2/$name/blobs/$id")
	records=$(jq -r '."moby.buildkit.cache.v0"' <<<"$config" | base64 -d)
	is "$(jq '[.[] | select(.stave.diffID)] | length' <<<"$records")" 6
	is "$(jq '[.[] | select(.layers)] | map(.layers[0].layer) | tostring' <<<"$records")" '"[1,2,3]"'
	is "$(jq 'map(keys) | flatten | unique | tostring' <<<"$records")" '"[\"digest\",\"layers\",\"stave\"]"'
	hasnt "$records" urandom
	# all cached, it is the same
	stave build -q -t again --cache-to type=inline "$ctx" >/dev/null
	is "$(id_of again)" "$id"
	elsewhere
	build_log --cache-from "$open/$name:1" --cache-to type=inline
	all_cached
	is "$(id_of t)" "$id"
	is "$(layer_count)" 4
	# without it the image has none
	build
	differ "$(id_of t)" "$id"
	store_is_clean
}

@test "BUILDKIT_INLINE_CACHE=1 is that, too, and goes with SOURCE_DATE_EPOCH" {
	export SOURCE_DATE_EPOCH=1700000000
	dockerfile <<-'END'
	FROM busybox AS builder
	RUN echo made > /made
	FROM busybox
	COPY --from=builder /made /made
	END
	stave build -q -t "$open/$name:1" --build-arg BUILDKIT_INLINE_CACHE=1 "$ctx" >/dev/null
	stave push -q "$open/$name:1"
	elsewhere
	build_log --build-arg BUILDKIT_INLINE_CACHE=1
	ended 0
	hasnt "$output" "not consumed"
	is "$(id_of t)" "$(manifest "$name:1" | jq -r .config.digest)"
	elsewhere 2
	build_log --cache-from "$open/$name:1"
	is "$(cached)" 3
	# false is false
	build --build-arg BUILDKIT_INLINE_CACHE=0
	differ "$(id_of t)" "$(manifest "$name:1" | jq -r .config.digest)"
}

@test "an image without a cache in it" {
	stave tag busybox "$open/$name:plain"
	stave push -q "$open/$name:plain"
	stave rmi "$open/$name:plain" >/dev/null
	build_log --cache-from "$open/$name:plain"
	ended 0
	has "$output" "the image has no build cache in it"
}

# ---- who may ----

@test "credentials are those of push, and of that registry alone" {
	htpasswd -Bbn ann secret >"$BATS_FILE_TMPDIR/htpasswd" 2>/dev/null
	make_certificates "$BATS_FILE_TMPDIR/tls"
	[ -n "${closed-}" ] || start_registry closed \
		"  tls: {certificate: $BATS_FILE_TMPDIR/tls/server.crt, key: $BATS_FILE_TMPDIR/tls/server.key}
auth:
  htpasswd: {realm: test, path: $BATS_FILE_TMPDIR/htpasswd}"
	DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
	run stave build --progress=plain --cache-to "type=registry,ref=$closed/a" "$ctx"
	ended 1
	has "$output" "exporting cache to $closed/a: "
	has "$output" "no basic auth credentials"
	# the same when errors may be
	run stave build --progress=plain --cache-to "type=registry,ref=$closed/a,ignore-error=true" "$ctx"
	ended 0
	has "$output" "no basic auth credentials"
	echo secret | stave login -u ann --password-stdin "$closed"
	build --cache-to "type=registry,ref=$closed/a"
	elsewhere
	build_log --cache-from "$closed/a"
	all_cached
	DOCKER_CONFIG=$BATS_TEST_TMPDIR/none
	elsewhere 2
	build_log --cache-from "$closed/a"
	ended 0
	has "$output" "failed to configure registry cache importer"
	hasnt "$output" secret
}

# ---- caches that lie ----

@test "documents that are no documents" {
	build "$(to mode=max)"
	elsewhere
	printf 'FROM busybox\n' >"$ctx/Dockerfile"
	local limit="prlimit --data=$((256 << 20))"
	! sanitized || limit=
	refused() {
		# shellcheck disable=SC2086 # words
		run timeout 60 $limit stave build --progress=plain \
			-t t --cache-from "$ref" "$ctx"
		ended 0
		has "$output" "ERROR: failed to configure registry cache importer"
		has "$output" "$1"
	}
	forge '.records[0].layers[0].layer = 4000'
	refused "a layer that is not there"
	forge '.records[0].layers[0].layer = 0 | .records[0].stave.createdAt = "soon"'
	refused "createdAt is not a time"
	forge '.records[0].stave.createdAt = "2020-01-01T00:00:00Z" | .layers[0].annotations.mediaType = "text/html"'
	refused "mediaType is not that of a layer"
	forge '.layers = 7'
	refused "layers"
	forge '.layers = [] | .records = [range(200000) | {}]'
	refused "more than 100000 records"
	forge '.stave.keys = "stave step 0"'
	refused "another version of stave"
	forge 'del(.stave)'
	refused "written by BuildKit"
	forge '[]'
	refused "not a build cache"
	head -c 9000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/giant"
	digest=$(put_blob "$BATS_TEST_TMPDIR/giant")
	manifest | jq -c ".config.digest = \"$digest\"" |
		put_manifest application/vnd.oci.image.manifest.v1+json
	refused "$digest"
	# another type
	manifest | jq -c '.config.mediaType = "text/plain"' |
		put_manifest application/vnd.oci.image.manifest.v1+json
	refused "it is not a build cache (text/plain)"
	# other bytes than they were
	home
	echo 'RUN true' >>"$ctx/Dockerfile"
	build "$(to mode=max)"
	elsewhere 2
	printf '{"layers":[],"records":[],"stave":{"keys":"stave step 2"}}' >"$(file_of "$(manifest | jq -r .config.digest)")"
	refused "verification failed"
	is "$(ls "$STAVE_ROOT/cache/pull" 2>/dev/null)" ""
	store_is_clean
}

@test "records in an image that are none" {
	stave build -q -t "$open/$name:cache" --cache-to type=inline "$ctx" >/dev/null
	stave push -q "$open/$name:cache"
	id=$(manifest | jq -r .config.digest)
	elsewhere
	printf 'FROM busybox\n' >"$ctx/Dockerfile"
	refused() {
		curl -sf "http://$open/v2/$name/blobs/$id" |
			jq -c --arg text "$1" '."moby.buildkit.cache.v0" = $text' >"$BATS_TEST_TMPDIR/config"
		digest=$(put_blob "$BATS_TEST_TMPDIR/config")
		manifest | jq -c ".config.digest = \"$digest\" | .config.size = $(stat -c %s "$BATS_TEST_TMPDIR/config")" |
			put_manifest application/vnd.oci.image.manifest.v1+json
		build_log --cache-from "$ref"
		ended 0
		has "$output" "ERROR: failed to configure registry cache importer"
		has "$output" "$2"
	}
	refused '?' "not in base64"
	refused "$(base64 -w0 <<<'{}')" "records are no list"
	refused "$(base64 -w0 <<<'[{"digest":"sha256:0"}]')" "written by BuildKit"
	refused "$(base64 -w0 <<<'[{"digest":"sha256:0","stave":{"diffID":"sha256:1"}}]')" "not a digest"
}

@test "layers that are not what they are said to be: those steps run" {
	build "$(to mode=max)"
	local blob n=0
	blob=$(manifest | jq -r '.layers[-1].digest')
	cp "$(file_of "$blob")" "$BATS_TEST_TMPDIR/good"
	runs_instead() {
		n=$((n + 1))
		elsewhere $n
		run timeout 60 stave build --progress=plain -t t --cache-from "$ref" "$ctx"
		ended 0
		has "$output" "not used: "
		is "$(in_t cat /last)" hello
		is "$(ls "$STAVE_ROOT/cache/pull")" ""
		is "$(ls "$STAVE_ROOT/blobs/sha256" | wc -l)" 4
		store_is_clean
	}
	tr '\000-\377' '\001-\377\000' <"$BATS_TEST_TMPDIR/good" >"$(file_of "$blob")"
	runs_instead
	has "$output" "verification failed"
	head -c 50 "$BATS_TEST_TMPDIR/good" >"$(file_of "$blob")"
	runs_instead
	rm "$(file_of "$blob")"
	runs_instead
	cp "$BATS_TEST_TMPDIR/good" "$(file_of "$blob")"
	# a good blob that is another layer
	other=$(document '.layers[0].blob')
	forge ".layers[-1].blob = \"$other\" | .layers[-1].annotations.size = .layers[0].annotations.size"
	runs_instead
	has "$output" "its tar is not what its record says"
	# a tar that wants out, and one that is larger than it says
	mkdir "$BATS_TEST_TMPDIR/h"
	echo x >"$BATS_TEST_TMPDIR/h/f"
	tar -C "$BATS_TEST_TMPDIR/h" --transform 's,^,../../../../../../tmp/stave-escape-,' -P \
		-czf "$BATS_TEST_TMPDIR/h1" f
	head -c 50000000 /dev/zero >"$BATS_TEST_TMPDIR/h/f"
	tar -C "$BATS_TEST_TMPDIR/h" -czf "$BATS_TEST_TMPDIR/h2" f
	for file in h1 h2; do
		other=$(put_blob "$BATS_TEST_TMPDIR/$file")
		forge ".layers[-1].blob = \"$other\" |
			.layers[-1].annotations.size = $(stat -c %s "$BATS_TEST_TMPDIR/$file")"
		runs_instead
	done
	! ls /tmp/stave-escape-* 2>/dev/null
	forge ".layers[-1].annotations.size = $((1 << 60))"
	runs_instead
	has "$output" "larger than the limit"
	# and it is written again as it should be, if nobody is believed
	home
	build "$(to mode=max,force-compression=true)"
	elsewhere good
	build_log --cache-from "$ref"
	all_cached
}

@test "a registry that is gone when the files are needed" {
	build "$(to mode=max)"
	elsewhere
	# one that knows the documents, and no blob else
	cp -r "$BATS_FILE_TMPDIR/open.d/data" "$BATS_TEST_TMPDIR/data"
	for blob in $(manifest | jq -r '.layers[].digest'); do
		rm "$(file_of "$blob")"
	done
	run timeout 60 stave build --progress=plain -t t --cache-from "$ref" "$ctx"
	ended 0
	has "$output" "not used"
	is "$(in_t cat /last)" hello
	cp -r "$BATS_TEST_TMPDIR/data" "$BATS_FILE_TMPDIR/open.d/"
}

@test "a download that was cut goes on" {
	build "$(to mode=max)"
	elsewhere
	local blob
	blob=$(manifest | jq -r '.layers[3].digest')
	mkdir -p "$STAVE_ROOT/cache/pull"
	head -c 100000 "$(file_of "$blob")" >"$STAVE_ROOT/cache/pull/${blob#sha256:}"
	build_log --cache-from "$ref"
	all_cached
	grep -q "GET /v2/$name/blobs/$blob HTTP/1.1\" 206" "$BATS_FILE_TMPDIR/open.d/log"
	# one that was damaged begins anew
	elsewhere 2
	mkdir -p "$STAVE_ROOT/cache/pull"
	head -c 100000 /dev/zero >"$STAVE_ROOT/cache/pull/${blob#sha256:}"
	build_log --cache-from "$ref"
	ended 0
	is "$(cached)" 7
	hasnt "$output" "not used"
	store_is_clean
}

@test "an interrupt is heard while layers are on their way" {
	build "$(to mode=max)"
	elsewhere
	printf 'RUN sleep 4\nCOPY --from=builder /w/number /number\n' >>"$ctx/Dockerfile"
	local log=$BATS_TEST_TMPDIR/log registry pid
	registry=$(cat "$BATS_FILE_TMPDIR/open.d/pid")
	stave build --progress=plain --cache-from "$ref" "$ctx" >"$log" 2>&1 3>&- &
	pid=$!
	says() { grep -q "$1" "$log"; }
	settled says '] RUN sleep'
	kill -STOP "$registry"
	# it sleeps, and then asks a registry that is silent
	for _ in 1 2 3 4; do settled says '^#.* DONE [4-9]' && break; done
	kill -INT $pid
	status=0
	wait $pid || status=$?
	kill -CONT "$registry"
	is "$status" 130
	says interrupted
	build_log --cache-from "$ref"
	ended 0
	store_is_clean
}

# ---- cache mounts ----

# [WORDS]: a step that looks at its cache mount, and leaves something there
mounting() {
	dockerfile <<-END
	FROM busybox
	RUN --mount=type=cache,id=$name,target=/m,uid=3,mode=0750 ${1-true}; \
		stat -c '%n %u:%g %a' /m /m/* > /saw; cat /m/one >> /saw; \
		echo one > /m/one; chown 7:8 /m/one; chmod 4711 /m/one; ln -sf one /m/link; mkdir -p /m/.wh.dir
	END
}
both() { echo "$(to "mode=max,cache-mounts=true${1:+,$1}")"; }
from_both() { echo "--cache-from=type=registry,ref=$ref,cache-mounts=true"; }

@test "cache mounts travel, if both sides want it: owners, modes, links, odd names" {
	mounting
	build "$(both)"
	is "$(document '.stave.mounts | map([.id, .mode, .uid]) | tostring')" "[[\"$name\",488,3]]"
	# another step, with the same mount
	mounting :
	elsewhere
	build_log "$(from_both)"
	ended 0
	hasnt "$output" "warning"
	is "$(in_t cat /saw)" "$(printf '/m 3:0 750\n/m/link 0:0 777\n/m/one 7:8 4711\none')"
	is "$(stat -c %F "$STAVE_ROOT"/cachemounts/*/fs/.wh.dir)" directory
	store_is_clean
	# without the word, on either side
	elsewhere 2
	build_log --cache-from "$ref"
	is "$(in_t cat /saw)" "/m 3:0 750"
	home
	build "$(to mode=max)"
	is "$(document .stave.mounts)" null
}

@test "a cache mount that is here stays as it is" {
	mounting
	build "$(both)"
	elsewhere
	mounting 'echo mine > /m/mine'
	build
	mounting 'true one more'
	build_log "$(from_both)"
	ended 0
	has "$(in_t cat /saw)" "/m/mine"
	hasnt "$(in_t cat /saw)" "/m/link 0"$'\n'"/m/link"
}

@test "cache mounts: what has not changed is not sent again, and what is not here is kept" {
	mounting
	build "$(both)"
	local before
	before=$(manifest | sha256sum)
	forget_requests
	build "$(both)"
	is "$(requests 'POST|PUT|PATCH')" 0
	elsewhere
	forget_requests
	build_log "$(from_both)" "$(both)"
	is "$(cached)" 2
	is "$(requests 'POST|PUT|PATCH')" 0
	is "$(manifest | sha256sum)" "$before"
	home
	mounting 'echo more > /m/more'
	build "$(both compression=zstd)"
	is "$(document '.stave.mounts | length')" 1
	is "$(document '.layers[.stave.mounts[0].layer].annotations.mediaType')" \
		application/vnd.oci.image.layer.v1.tar+zstd
	elsewhere 2
	mounting ':'
	build_log "$(from_both)"
	has "$(in_t cat /saw)" "/m/more 0:0 644"
}

@test "a cache mount that somebody works with is not read" {
	mounting
	build "$(both)"
	local dir
	dir=$(ls -d "$STAVE_ROOT"/cachemounts/*/)
	for one in $dir; do
		exec {lock}<"$one/turn"
		flock -s "$lock"
	done
	echo changed | tee "$STAVE_ROOT"/cachemounts/*/fs/one >/dev/null
	forget_requests
	build "$(both)"
	# the one that was sent before stays
	is "$(requests 'POST|PUT|PATCH')" 0
	exec {lock}<&-
}

@test "cache mounts that lie: remarked on, and empty" {
	mounting
	build "$(both)"
	local blob n=0
	blob=$(document '.layers[.stave.mounts[0].layer].blob')
	begins_empty() {
		n=$((n + 1))
		elsewhere $n
		mounting :
		build_log "$(from_both)"
		ended 0
		has "$output" "--cache-from: the cache mount $name: "
		has "$output" "$1"
		is "$(in_t cat /saw)" "/m 3:0 750"
		is "$(ls "$STAVE_ROOT/cache/pull")" ""
		is "$(ls "$STAVE_ROOT"/cachemounts/* | grep -c new- || true)" 0
		store_is_clean
	}
	echo evil >"$BATS_TEST_TMPDIR/f"
	tar -C "$BATS_TEST_TMPDIR" --transform 's,^,../../../../../../tmp/stave-escape-,' -P \
		-czf "$BATS_TEST_TMPDIR/h" f
	other=$(put_blob "$BATS_TEST_TMPDIR/h")
	forge ".layers[.stave.mounts[0].layer] |= (.blob = \"$other\" |
		.annotations.size = $(stat -c %s "$BATS_TEST_TMPDIR/h"))"
	begins_empty ""
	! ls /tmp/stave-escape-* 2>/dev/null
	tar -C "$BATS_TEST_TMPDIR" -czf "$BATS_TEST_TMPDIR/h" f
	other=$(put_blob "$BATS_TEST_TMPDIR/h")
	forge ".layers[.stave.mounts[0].layer] |= (.blob = \"$other\" |
		.annotations.size = $(stat -c %s "$BATS_TEST_TMPDIR/h") | .stave.contentBytes = 1000)"
	begins_empty "its tar is not what its record says"
	rm "$(file_of "$other")"
	begins_empty ""
	forge '.stave.mounts[0].layer = 77'
	elsewhere last
	build_log "$(from_both)"
	ended 0
	has "$output" "a cache mount has what cannot be"
}
