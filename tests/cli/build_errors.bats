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

@test "a base image that is nowhere" {
	printf 'FROM localhost:1/nosuch:1\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" "Dockerfile:1"
	has "$output" "localhost:1/nosuch:1: failed to resolve source metadata"
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
	has "$output" "it needs to be defined before"
}

@test "errors show the place, on the line it is on" {
	printf 'FROM scratch\nENV A=1 \\\n  # remark\n  B\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" "Dockerfile:4:3"
	has "$output" "   4 | >>>   B
     |       ^"
	printf 'FROM scratch\nCOPY --chown=${U:?who} a b\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" "Dockerfile:2:14"
	has "$output" "U: who"
	printf 'FROM scratch\nCOPY --form=x a b\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" "did you mean --from?"
	has "$output" "     |          ^^^^^^^^"
}

@test "stages that need each other, a number that no stage has" {
	dockerfile <<-'END'
	FROM scratch AS one
	COPY --from=three /x /x
	FROM scratch AS two
	RUN --mount=from=one,target=/m x
	FROM two AS three
	FROM scratch
	END
	build_log
	ended 1
	has "$output" "Dockerfile:2:13"
	has "$output" "circular dependency detected on stage: one"
	has "$output" "one needs (line 2) three needs (line 5) two needs (line 4) one"
	dockerfile <<-'END'
	FROM scratch AS one
	COPY --from=one /x /x
	END
	build_log
	ended 1
	has "$output" "circular dependency detected on stage: one"
	dockerfile <<-'END'
	FROM scratch
	FROM scratch
	COPY --from=7 /x /x
	END
	build_log
	ended 1
	has "$output" "invalid stage index 7"
	has "$output" "0 to 0"
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

@test "a failed build leaves names, images and machine as they were" {
	printf 'FROM busybox\nENV V=1\n' >"$ctx/Dockerfile"
	stave build -q -t keep "$ctx" >/dev/null
	local images
	images=$(stave images --format '{{.Repository}} {{.Tag}} {{.ID}}')
	watch_machine
	printf 'FROM busybox\nENV V=2\nRUN echo %s > /x\nRUN false\n' "$MARK" >"$ctx/Dockerfile"
	run stave build -q -t keep "$ctx"
	ended 1
	is "$(stave images --format '{{.Repository}} {{.Tag}} {{.ID}}')" "$images"
	nothing_left
}

@test "with -q a failing RUN shows its output too" {
	printf 'FROM busybox\nRUN echo look here; false\n' >"$ctx/Dockerfile"
	run stave build -q "$ctx"
	ended 1
	has "$output" "look here"
	has "$output" "exit code: 1"
}

@test "a program that is not there, an unknown USER, a missing source in a stage" {
	printf 'FROM busybox\nRUN ["/no/such/program"]\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" /no/such/program
	has "$output" Dockerfile:2
	printf 'FROM busybox\nUSER nosuch\nRUN true\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" nosuch
	has "$output" Dockerfile:3
	printf 'FROM busybox AS first\nFROM busybox\nCOPY --from=first /none /\n' >"$ctx/Dockerfile"
	build_log
	ended 1
	has "$output" /none
	has "$output" Dockerfile:3
}

@test "no step of a broken Dockerfile runs" {
	printf 'FROM busybox\nRUN echo %s ran\nCOPPY x\n' "$MARK" >"$ctx/Dockerfile"
	build_log
	ended 1
	hasnt "$output" "#1"
}

@test "SIGTERM ends a build with parallel stages, and nothing stays" {
	dockerfile <<-END
	FROM busybox AS other
	RUN sleep $MARK
	FROM busybox
	COPY --from=other / /o
	RUN echo $MARK > /x && sleep $MARK
	END
	watch_machine
	stave build --progress=plain -t interrupted "$ctx" >"$ctx.log" 2>&1 &
	local build=$! from=$SECONDS code=0
	settled pgrep -f "sleep $MARK" >/dev/null
	kill -TERM "$build"
	wait "$build" || code=$?
	[ $((SECONDS - from)) -lt 8 ]
	differ "$code" 0
	nothing_left
	run stave inspect interrupted
	ended 1
}

@test "an option with an empty value, of a variable that is not set, is none" {
	dockerfile <<<'FROM busybox'
	for option in add-host allow annotation build-context cache-from cache-to iidfile \
		metadata-file provenance sbom secret ssh; do
		run stave build -q "--$option" "" "$ctx"
		ended 0
	done
}
