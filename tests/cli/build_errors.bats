# SPDX-License-Identifier: Apache-2.0
# What a build says when it cannot, and what it leaves.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
}

@test "an unknown instruction: file, line, what was meant" {
	dockerfile <<-'END'
	FROM busybox
	RUM echo hi
	END
	build_log
	ended 1
	has "$output" "Dockerfile:2"
	has "$output" ">>> RUM echo hi"
	has "$output" "unknown instruction: RUM (did you mean RUN?)"
}

@test "an unknown flag, a flag twice, a bad value" {
	local line
	while IFS='|' read -r line want; do
		printf 'FROM busybox\n%s\n' "$line" >"$ctx/Dockerfile"
		echo x >"$ctx/a"
		build_log
		ended 1
		has "$output" "$want"
		has "$output" "Dockerfile:2"
	done <<-'END'
	COPY --form=x a /a|form
	COPY --from=x --from=y a /a|from
	COPY --chmod=999 a /a|chmod
	EXPOSE 70000|70000
	STOPSIGNAL SIGNOPE|SIGNOPE
	CMD ["echo",1]|JSON
	HEALTHCHECK --interval=x CMD true|interval
	END
}

@test "a missing source names it and the context" {
	dockerfile <<-'END'
	FROM busybox
	COPY nothing /x
	END
	build_log
	ended 1
	has "$output" '"/nothing" not found in the build context'
	has "$output" "Dockerfile:2"
}

@test "a source that .dockerignore hides: the line that did it" {
	dockerfile <<-'END'
	FROM busybox
	COPY secret /x
	END
	echo s >"$ctx/secret"
	printf '# comment\n*.log\nsecret\n' >"$ctx/.dockerignore"
	build_log
	ended 1
	has "$output" ".dockerignore:3 excludes it: secret"
}

@test "a failing RUN: all its output, its code, its line" {
	dockerfile <<-'END'
	FROM busybox
	RUN for i in 1 2 3; do echo line $i; done; echo wrong >&2; exit 42
	END
	build_log
	ended 1
	has "$output" "line 1"
	has "$output" "line 3"
	has "$output" "wrong"
	has "$output" "exit code: 42"
	has "$output" "Dockerfile:2"
	nothing_left
}

@test "an unknown base image: how to get one" {
	printf 'FROM nosuch:1\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" "nosuch:1"
	has "$output" "stave import - nosuch:1"
}

@test "no Dockerfile, no context, a file for a context, an empty Dockerfile" {
	build_log
	ended 1
	has "$output" "failed to read dockerfile"
	run stave build "$ctx/none"
	ended 1
	has "$output" "not found"
	: >"$ctx/Dockerfile"
	run stave build "$ctx/Dockerfile"
	ended 1
	has "$output" "must be a directory"
	build_log
	ended 1
	has "$output" "empty"
}

@test "wrong command lines" {
	run stave build
	ended 1
	has "$output" "requires 1 argument"
	run stave build --nope .
	ended 125
	has "$output" "unknown flag: --nope"
	run stave build -t UPPER "$ctx"
	differ "$status" 0
	has "$output" "lowercase"
	run stave nosuchcommand
	differ "$status" 0
}

@test "a target that is not there, a stage that comes later" {
	dockerfile <<-'END'
	FROM busybox AS a
	COPY --from=b /x /x
	FROM busybox AS b
	END
	build_log --target c
	ended 1
	has "$output" '"c"'
	build_log --target a
	ended 1
	has "$output" "comes later"
}

@test "a Dockerfile does not take the host's network" {
	dockerfile <<-'END'
	FROM busybox
	RUN --network=host ip addr > /addr
	END
	build_log
	ended 1
	has "$output" "network.host is not allowed"
	build --network host
}

@test "interrupted: nothing runs on, nothing stays, finished steps do" {
	dockerfile <<-END
	FROM busybox
	RUN echo done > /done
	RUN echo begun; sleep $MARK
	END
	stave build --progress=plain "$ctx" >"$BATS_TEST_TMPDIR/log" 2>&1 &
	local pid=$!
	settled grep -q begun "$BATS_TEST_TMPDIR/log"
	kill -INT $pid
	local code=0
	wait $pid || code=$?
	is "$code" 130
	has "$(cat "$BATS_TEST_TMPDIR/log")" interrupted
	nothing_left
	sed -i '$d' "$ctx/Dockerfile"
	build_log
	is "$(cached)" 2
}

@test "check=error=true makes warnings errors" {
	dockerfile <<-'END'
	# check=error=true
	FROM busybox
	MAINTAINER me
	END
	build_log
	ended 1
	has "$output" "MaintainerDeprecated"
}
