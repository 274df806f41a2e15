# SPDX-License-Identifier: Apache-2.0
# registries.conf and daemon.json: mirrors, other places, what is blocked or insecure.

load common
load registry

needs_no_root=1

setup_file() { registry_with_images other; }

teardown_file() { stop_registries; }

setup() {
	registry_images
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
}

conf() { cat >"$CONTAINERS_REGISTRIES_CONF"; }

digest_of() { stave buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }

@test "a mirror has it: it comes from there, under its own name" {
	conf <<-END
		[[registry]]
		prefix = "registry.example/team"
		location = "registry.example/team"
		[[registry.mirror]]
		location = "localhost:1/nobody/there"
		[[registry.mirror]]
		location = "$open"
	END
	run stave manifest inspect -v "registry.example/team/img:docker"
	ended 0
	is "$(jq -r .Ref <<<"$output")" "registry.example/team/img:docker"
	is "$(digest_of registry.example/team/img:all)" "$all"
	# a whole copy, with its blobs
	is "$(stave image copy -q registry.example/team/img:all "$other/mirrored")" "$all"
	# which is not asked for other names
	run stave manifest inspect registry.example/teams/img:all
	ended 1
	has "$output" "registry.example"
}

@test "the mirrors have it not: the registry itself is asked, and what is pushed goes there" {
	conf <<-END
		[[registry]]
		location = "$open"
		[[registry.mirror]]
		location = "$other/nothing"
	END
	is "$(digest_of "$open/img:all")" "$all"
	stave image copy -q "$open/img:docker" "$open/pushed"
	run curl -sf "http://$other/v2/nothing/pushed/tags/list"
	ended 22
	is "$(digest_of "$open/pushed")" "$docker"
	# tags are those of the registry
	is "$(stave image ls --remote -q "$open/pushed")" "$open/pushed:latest"
}

@test "for digests only, for tags only" {
	conf <<-END
		[[registry]]
		location = "a.example"
		mirror-by-digest-only = true
		mirror = [{location = "$open"}]

		[[registry]]
		location = "b.example"
		[[registry.mirror]]
		location = "$open"
		pull-from-mirror = "tag-only"
	END
	is "$(digest_of "a.example/img@$oci")" "$oci"
	run stave manifest inspect a.example/img:all
	ended 1
	is "$(digest_of b.example/img:all)" "$all"
	run stave manifest inspect "b.example/img@$oci"
	ended 1
}

@test "another location; wildcards; the longest prefix; a later file" {
	unset CONTAINERS_REGISTRIES_CONF
	export HOME=$BATS_TEST_TMPDIR
	mkdir -p "$HOME/.config/containers/registries.conf.d"
	cat >"$HOME/.config/containers/registries.conf" <<-END
		unqualified-search-registries = ["nowhere.example"] # has no say
		[[registry]]
		prefix = '*.wild.example'
		location = "$open"
		[[registry]]
		prefix = "a.wild.example/old/name"
		location = "$open/img"
		[[registry]]
		location = "x.example/"
		blocked = true
		[[registry]]
		prefix = "*.deep.wild.example"
		blocked = true
	END
	is "$(digest_of b.c.wild.example/img:all)" "$all"
	is "$(digest_of a.wild.example/old/name:docker)" "$docker"
	for place in a.deep.wild.example a.deep.wild.example:5000; do
		run stave manifest inspect "$place/img:all"
		ended 1
		has "$output" "registry $place is blocked"
	done
	run stave manifest inspect wild.example/img:all
	ended 1
	run stave manifest inspect x.example/img
	ended 1
	is "$output" "stave: registry x.example is blocked by $HOME/.config/containers/registries.conf"
	printf '[[registry]]\nprefix = "x.example"\nlocation = "%s"\n' "$open" \
		>"$HOME/.config/containers/registries.conf.d/10-open.conf"
	is "$(digest_of x.example/img:all)" "$all"
}

@test "CONTAINERS_REGISTRIES_CONF stands for one file: the parts are read all the same" {
	export HOME=$BATS_TEST_TMPDIR
	mkdir -p "$HOME/.config/containers/registries.conf.d"
	printf '[[registry]]\nlocation = "%s"\n' "$open" | conf
	is "$(digest_of "$open/img:all")" "$all"
	printf '[[registry]]\nlocation = "%s"\nblocked = true\n' "$open" \
		>"$HOME/.config/containers/registries.conf.d/10-closed.conf"
	run stave manifest inspect "$open/img"
	ended 1
	has "$output" "is blocked by $HOME/.config/containers/registries.conf.d/10-closed.conf"
}

@test "blocked: nothing is asked of it, whatever is to be done" {
	conf <<-END
		[[registry]]
		location = "$open"
		blocked = true
	END
	for words in "manifest inspect" "image ls --remote" "image copy $other/x" "login -u a -p b"; do
		run stave $words "${open}$([[ $words == login* ]] || echo /img)"
		ended 1
		has "$output" "is blocked by $CONTAINERS_REGISTRIES_CONF"
	done
}

@test "plain HTTP to another machine only where a file says so" {
	: | conf
	run stave manifest inspect "0.0.0.0:${open#*:}/img:all"
	ended 1
	has "$output" "only registries of this machine may do without"
	printf '[[registry]]\nlocation = "0.0.0.0:%s"\ninsecure = true\n' "${open#*:}" | conf
	is "$(digest_of "0.0.0.0:${open#*:}/img:all")" "$all"
	: | conf
	is "$(stave manifest inspect -v --insecure "0.0.0.0:${open#*:}/img:docker" | jq -r .Descriptor.digest)" "$docker"
}

@test "a mirror is not shown the credentials of what it mirrors, nor asked what refers to it" {
	record=$BATS_TEST_TMPDIR/record
	python3 "$BATS_TEST_DIRNAME/liar.py" "$BATS_TEST_TMPDIR/port" "$record" 3>&- &
	pid=$!
	settled test -s "$BATS_TEST_TMPDIR/port"
	liar=localhost:$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/port")
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
	mkdir -p "$DOCKER_CONFIG"
	printf '{"auths": {"%s": {"auth": "%s"}}}' "$open" "$(printf 'ann:secret' | base64)" \
		>"$DOCKER_CONFIG/config.json"
	printf '[[registry]]\nlocation = "%s/img"\n[[registry.mirror]]\nlocation = "%s/basic"\n' "$open" "$liar" | conf
	is "$(digest_of "$open/img:all")" "$all"
	# nor does it say what refers to an image
	is "$(stave manifest referrers -q "$open/img@$oci")" "$signature"
	kill $pid
	grep -q '/v2/basic/manifests/all - ' "$record"
	run grep -c Basic "$record"
	is "$output" 0
}

@test "a file that is wrong says where" {
	conf <<-'END'
		[[registry]]
		location = "x"
		insecure = maybe
	END
	run stave manifest inspect "$open/img"
	ended 1
	is "$output" "stave: $CONTAINERS_REGISTRIES_CONF: line 3: a value that is no string, integer, boolean, array or table"
	printf '[[registry]]\nprefix = "a.example"\nblocked = "yes"\n' | conf
	run stave manifest inspect "$open/img"
	has "$output" "blocked is not true or false"
	for words in 'location = "https://a.example"' 'prefix = "*.a.example/team"' 'prefix = "a*.example"' \
		'location = "a.example"\nmirror = [{location = "b.example", pull-from-mirror = "digests"}]'; do
		printf "[[registry]]\nblocked = true\n$words\n" | conf
		run stave manifest inspect "$open/img"
		ended 1
		has "$output" "stave: $CONTAINERS_REGISTRIES_CONF: "
	done
	printf '[registries.search]\nregistries = ["a"]\n' | conf
	run stave manifest inspect "$open/img"
	has "$output" "version 1 of this file"
	rm "$CONTAINERS_REGISTRIES_CONF"
	run stave manifest inspect "$open/img"
	ended 1
	has "$output" "does not exist"
	# commands without a registry do not read it
	stave version >/dev/null
}

@test "Docker's daemon.json: mirrors of docker.io, insecure registries" {
	require_root
	: | conf
	# /etc as it would be with this file
	printf '{"registry-mirrors": ["http://%s"], "insecure-registries": ["0.0.0.0/8"]}' "$open" >"$BATS_TEST_TMPDIR/daemon.json"
	with() {
		unshare -m sh -c 'cp -a /etc/hosts /etc/nsswitch.conf /etc/passwd "$1" 2>/dev/null
			mount -t tmpfs none /etc && mkdir /etc/docker && cp -a "$1"/hosts "$1"/nsswitch.conf "$1"/passwd /etc
			cp "$1/daemon.json" /etc/docker; shift; exec "$@"' sh "$BATS_TEST_TMPDIR" "$@"
	}
	is "$(with stave buildx imagetools inspect --format '{{.Manifest.Digest}}' "0.0.0.0:${open#*:}/img:all")" "$all"
	# an image of docker.io's library
	stave image copy -q "$open/img:docker" "$open/library/word"
	is "$(with stave manifest inspect -v word | jq -r .Descriptor.digest)" "$docker"
}
