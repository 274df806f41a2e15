# SPDX-License-Identifier: Apache-2.0
# A registry that lies: a clear error, soon, and nothing in the store.

load common

setup_file() {
	am_root || return 0
	unset REGISTRY_AUTH_FILE XDG_RUNTIME_DIR http_proxy HTTP_PROXY
	export STAVE_ROOT=$BATS_FILE_TMPDIR/store DOCKER_CONFIG=$BATS_FILE_TMPDIR/docker
	export record=$BATS_FILE_TMPDIR/record STAVE_STALL_SECONDS=1
	python3 "$BATS_TEST_DIRNAME/liar.py" "$BATS_FILE_TMPDIR/port" "$record" 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	local one
	for _ in $(seq 100); do
		[ ! -s "$BATS_FILE_TMPDIR/port" ] || break
		sleep 0.05
	done
	read -r one two <"$BATS_FILE_TMPDIR/port"
	export liar=localhost:$one two
	mkdir -p "$DOCKER_CONFIG"
	echo "{\"auths\": {\"$liar\": {\"auth\": \"$(printf 'ann:secret' | base64)\"}}}" >"$DOCKER_CONFIG/config.json"
}

teardown_file() { [ ! -e "$BATS_FILE_TMPDIR/pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/pid")"; }

# LIE WORDS: the pull fails within 20 seconds and 64 MiB, says WORDS, and leaves nothing.
refuses() {
	run timeout 20 prlimit --data=$((64 << 20)) stave pull "$liar/$1"
	[ "$status" = 1 ] || {
		printf '%s: status %s: %s\n' "$1" "$status" "$output"
		return 1
	}
	has "$output" "$2"
	hasnt "$output" "secret"
	is "$(stave images -q)" ""
	is "$(ls "$STAVE_ROOT/blobs/sha256" "$STAVE_ROOT/layers")" "$STAVE_ROOT/blobs/sha256:

$STAVE_ROOT/layers:"
}

# Nor any part of a layer.
leaves_no_part() { is "$(ls "$STAVE_ROOT/cache/pull" 2>/dev/null)" ""; }

@test "documents that are not what they are said to be" {
	refuses giant "longer than announced"
	refuses endless-manifest "longer than announced"
	refuses digest-header "manifest verification failed"
	refuses type "announced as application/vnd.oci.image.index.v1+json"
	refuses not-json "manifest"
	refuses page "manifest"
	refuses schema1 "schema 1"
	refuses deep "nested too deeply"
	refuses config-type "its config is text/plain"
	refuses config-bytes "verification failed for digest sha256:"
	refuses layer-type "layers of type text/html"
	refuses more-layers "the manifest has 1 layers, its config 2"
	refuses many-layers "layers"
	leaves_no_part
}

@test "layers that are not what they are said to be" {
	refuses bytes "filesystem layer verification failed for digest sha256:"
	refuses short "the registry sent 100 bytes of the"
	refuses smaller "longer than announced"
	refuses larger "the registry sent"
	refuses endless "longer than announced"
	refuses immense "larger than the limit"
	refuses diff-id "as the config says"
	refuses escape "escaped"
	refuses gone "blob unknown: blob [31m unknown"
	leaves_no_part
	[ ! -e /escaped ]
}

@test "redirects to what is no registry" {
	refuses redirect-file "redirected to something that is not http(s)"
	refuses redirect-gopher "redirected to something that is not http(s)"
	refuses redirect-user "redirected to something that is not http(s)"
	refuses redirect-port "redirected to something that is not http(s)"
	refuses redirect-loop "more than 5 redirects"
	leaves_no_part
}

@test "token servers that may not have a secret" {
	refuses realm-file "its token server is no http(s) address"
	refuses realm-plain "which is plain HTTP"
	refuses realm-away "was redirected to another server, which may not have its credentials"
	is "$(grep -c "^$two .*/token" "$record")" 0
	refuses never-enough "pull access denied"
	refuses strange-auth "a kind of authentication that is not known"
}

@test "a registry elsewhere has no token server on this machine" {
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	local there=0.0.0.0:${liar#*:}
	printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$there" >"$CONTAINERS_REGISTRIES_CONF"
	run stave manifest inspect "$there/token"
	ended 1
	has "$output" "registry $there wants a token from this machine itself: http://$liar/token"
}

@test "a registry without an end" {
	refuses headers "headers without end"
	refuses error-page "error page without end"
	refuses busy "503"
	refuses silent "Operation too slow"
	refuses broken "closed"
	refuses drip "Operation too slow"
}

@test "no secret goes to another host, and what comes from there counts" {
	stave pull -q "$liar/basic"
	auth="Basic $(printf 'ann:secret' | base64)"
	has "$(grep -F "manifests/latest" "$record")" "$auth"
	is "$(grep "^$two " "$record" | grep -c Basic)" 0
	grep -q "^$two GET /layer" "$record"
	stave rmi "$liar/basic" >/dev/null
}

@test "a token: asked for with the secret, sent without it" {
	stave pull -q "$liar/token"
	has "$(grep -F 'GET /token?' "$record" | grep repository%3Atoken)" \
		"/token?account=ann&scope=repository%3Atoken%3Apull&service=it Basic $(printf 'ann:secret' | base64)"
	is "$(grep '/v2/token/' "$record" | grep -c Basic)" 0
	stave rmi "$liar/token" >/dev/null
}

@test "a connection that breaks: only what is missing is asked for again" {
	stave pull -q "$liar/cut"
	is "$(grep -c 'GET /v2/cut/blobs.*bytes=' "$record")" 4
	is "$(grep 'GET /v2/cut/blobs.*bytes=' "$record" | sed 's/.*bytes=\([0-9]*\)-/\1/' | sort -n | head -1)" 1400000
	stave rmi "$liar/cut" >/dev/null
}

@test "a registry that is busy, or knows no ranges" {
	stave pull -q "$liar/once"
	stave rmi "$liar/once" >/dev/null
	stave pull -q "$liar/deaf"
	stave rmi "$liar/deaf" >/dev/null
	leaves_no_part
	stave system check
}

# SIGNAL LIE COMMAND…: it is ended by the signal once a layer has come in part, and the next pull
# goes on there.
goes_on() {
	local signal=$1 lie=$2 pid size
	shift 2
	STAVE_STALL_SECONDS=60 "$@" >/dev/null 2>&1 3>&- &
	pid=$!
	part() { [ -s "$(ls "$STAVE_ROOT"/cache/pull/* 2>/dev/null)" ]; }
	settled part
	kill "-$signal" $pid
	wait $pid || true
	size=$(stat -c %s "$STAVE_ROOT"/cache/pull/*)
	[ "$size" -gt 0 ]
	run timeout -s KILL 3 stave pull "$liar/$lie"
	grep -q "GET /v2/$lie/blobs.* bytes=$size-" "$record"
}

@test "a pull that is killed or interrupted goes on where it was" {
	goes_on KILL drip stave pull "$liar/drip"
	goes_on TERM drip stave pull "$liar/drip"
	# the signal does not end it at once: it ends itself
	goes_on TERM drip python3 -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.execvp("stave", sys.argv)' pull "$liar/drip"
}

@test "tags in pages: to the last, not without end, and no secret on the way elsewhere" {
	is "$(stave image ls --remote --format '{{.Tag}}' "$liar/tags" | xargs)" "t0 t1 t2 t3 t4 t5"
	run timeout 60 stave image ls --remote "$liar/tags-forever"
	ended 1
	has "$output" "a list of tags without end"
	run stave image ls --remote "$liar/tags-away"
	is "$(grep -c "^$two .* Basic" "$record")" 0
	run stave image ls --remote "$liar/tags-file"
	ended 1
	has "$output" "redirected to something that is not http(s): file:///v2/tags-file"
}

@test "an upload that is led elsewhere" {
	stave image copy -q "$liar/plain" "oci:$BATS_TEST_TMPDIR/plain"
	run timeout 20 stave image copy "oci:$BATS_TEST_TMPDIR/plain" "$liar/upload"
	ended 1
	has "$output" "redirected to something that is not http(s): file:///upload"
}

@test "a cache from a registry that lies: said so, soon, and built without" {
	STAVE_ROOT=$BATS_TEST_TMPDIR/store
	echo x >"$ctx/a"
	printf 'FROM scratch\nCOPY a /\n' >"$ctx/Dockerfile"
	for lie in giant endless-manifest digest-header not-json deep config-type config-bytes \
		many-layers realm-plain headers silent; do
		run timeout 20 prlimit --data=$((64 << 20)) stave build --progress=plain \
			--cache-from "$liar/$lie" "$ctx"
		ended 0
		has "$output" "importing cache manifest from $liar/$lie"
		has "$output" "ERROR: failed to configure registry cache importer: "
		hasnt "$output" secret
	done
	leaves_no_part
	# the image's own two documents
	is "$(ls "$STAVE_ROOT/blobs/sha256" | wc -l)" 2
	stave system check
}

@test "a list of referrers without an end" {
	for lie in many-referrers large-referrers; do
		run timeout 20 prlimit --data=$((160 << 20)) stave manifest referrers "$liar/$lie@sha256:$(printf '%064d' 0)"
		ended 1
		has "$output" "more than "
	done
}

@test "referrers that go in circles; a copy of what lies" {
	is "$(timeout 20 stave image copy -q --referrers "$liar/circle" "oci:$BATS_TEST_TMPDIR/circle")" \
		"sha256:$(jq -r '.manifests[0].digest' "$BATS_TEST_TMPDIR/circle/index.json" | cut -d: -f2)"
	for lie in smaller larger immense; do
		run timeout 20 stave image copy "$liar/$lie" "oci-archive:$BATS_TEST_TMPDIR/$lie.tar"
		ended 1
		is "$(find "$BATS_TEST_TMPDIR" -name '*.tar*')" ""
	done
	run timeout 20 stave image copy "$liar/bytes" "oci:$BATS_TEST_TMPDIR/wrong"
	ended 1
	has "$output" "verification failed for digest sha256:"
}
