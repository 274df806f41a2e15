# SPDX-License-Identifier: Apache-2.0
#
# How a build shows itself: classic, rawjson (the drawn and the plain form have unit tests)

load common

setup_file() { private_store; }

two_stages() {
	echo hi >"$ctx/hello"
	dockerfile <<-'E'
		FROM busybox AS tools
		RUN echo one; echo two; echo three >/three
		FROM scratch
		ADD hello /
		COPY --from=tools /three /
		CMD ["/hello"]
	E
}

@test "classic: each instruction in the order of the file, with ids" {
	two_stages
	run --separate-stderr stave build --no-cache --progress=classic -t hello "$ctx"
	ended 0
	is "$stderr" ""
	is "$(sed 's/[0-9a-f]\{12\}/ID/' <<<"$output")" "Step 1/6 : FROM busybox AS tools
 ---> ID
Step 2/6 : RUN echo one; echo two; echo three >/three
one
two
 ---> ID
Step 3/6 : FROM scratch
 ---> 
Step 4/6 : ADD hello /
 ---> ID
Step 5/6 : COPY --from=tools /three /
 ---> ID
Step 6/6 : CMD [\"/hello\"]
 ---> ID
Successfully built ID
Successfully tagged hello:latest"
	built=$(awk '/^Successfully built/ { print $3 }' <<<"$output")
	is "$built" "$(stave images -q hello)"
}

@test "classic: what came from the cache says so" {
	two_stages
	stave build -q "$ctx"
	run stave build --progress=classic "$ctx"
	ended 0
	is "$(grep -c '^ ---> Using cache$' <<<"$output")" 3
}

@test "classic: DOCKER_BUILDKIT=0 asks for it, --progress is stronger" {
	two_stages
	DOCKER_BUILDKIT=0 run stave build "$ctx"
	has "$output" "Step 1/6 : FROM busybox AS tools"
	DOCKER_BUILDKIT=0 run stave build --progress=plain "$ctx"
	hasnt "$output" "Step 1/6"
}

@test "classic: a step that failed shows its output once" {
	dockerfile <<-'E'
		FROM busybox
		RUN echo before; exit 3
	E
	run stave build --progress=classic "$ctx"
	ended 1
	is "$(grep -c '^before$' <<<"$output")" 1
	has "$output" 'process "/bin/sh -c echo before; exit 3" did not complete successfully: exit code: 3'
	hasnt "$output" "Successfully"
}

@test "rawjson: every line is JSON, the logs say what was said" {
	two_stages
	run --separate-stderr stave build --no-cache --progress=rawjson -t t "$ctx"
	ended 0
	is "$(jq -r 'keys[0]' <<<"$stderr" | sort -u | xargs)" "logs statuses vertexes"
	is "$(jq -r '.logs[]?.data | @base64d' <<<"$stderr" | xargs)" "one two"
	is "$(jq -r '.vertexes[]? | select(.completed) | .name' <<<"$stderr" | grep -c .)" 5
	# what is told of one vertex agrees: one digest a name, one start
	is "$(jq -r '.vertexes[]? | "\(.name) \(.digest) \(.started)"' <<<"$stderr" | sort -u | wc -l)" 5
	stave build -q "$ctx"
	run --separate-stderr stave build --progress=rawjson "$ctx"
	is "$(jq -r '.vertexes[]? | select(.cached) | .name' <<<"$stderr" | grep -c .)" 4
}

@test "rawjson: an error belongs to its vertex" {
	dockerfile <<-'E'
		FROM busybox
		RUN exit 7
	E
	run --separate-stderr stave build --progress=rawjson "$ctx"
	ended 1
	has "$(grep '^{' <<<"$stderr" | jq -r '.vertexes[]?.error // empty')" "exit code: 7"
}

@test "an unknown form is named" {
	run stave build --progress=fancy "$ctx"
	has "$output" "invalid progress mode fancy"
}

# Lets the step's own process copy for a moment at a time, until the terminal was drawn.
slow_copy() {
	local build worker
	build=$(pgrep -of "^$(readlink -f "$STAVE") build --no-cache $ctx")
	worker=$(pgrep -P "$build") || return 1
	while kill -STOP "$worker" 2>/dev/null; do
		sleep 0.1
		kill -CONT "$worker" 2>/dev/null
		grep -q 'MB / 180MB' "$BATS_TEST_TMPDIR/screen" && return 0
		sleep 0.01
	done
	return 1
}

@test "a terminal sees how many bytes are copied" {
	local i screen=$BATS_TEST_TMPDIR/screen seen=
	for i in 1 2 3 4 5 6; do head -c 30000000 /dev/zero >"$ctx/f$i"; done
	printf 'FROM scratch\nCOPY . /\n' >"$ctx/Dockerfile"
	# a copy of a tenth of a second may be over before it is found
	for i in 1 2 3 4 5; do
		: >"$screen"
		TERM=xterm script -qefc "stty cols 100; exec '$(readlink -f "$STAVE")' build --no-cache '$ctx'" "$screen" >/dev/null &
		until compgen -G "$STAVE_ROOT/layers/*/fs/f2" >/dev/null || ! kill -0 $! 2>/dev/null; do :; done
		slow_copy && seen=yes
		wait $!
		has "$(<"$screen")" "COPY . /"
		[ -z "$seen" ] || return 0
		stave builder prune -af >/dev/null
	done
	cat "$screen"
	return 1
}
