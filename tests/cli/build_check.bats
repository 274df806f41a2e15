# SPDX-License-Identifier: Apache-2.0
#
# `build --check` and `--call`: what they print, their exit status, and that they
# neither need nor touch a store.  The rules one by one are in tests/golden/check.

load common

needs_no_root=1

setup() {
	common_setup
	export STAVE_ROOT=$BATS_TEST_TMPDIR/no-store
	unset BUILDKIT_PROGRESS
}

@test "a check shows place, text and fix, and exits with 1" {
	dockerfile <<-'END'
	FROM scratch
	WORKDIR /x
	COPY x$typo /
	CMD ["x"]
	END
	run -1 --separate-stderr stave build --check "$ctx"
	[ "$output" = "Check complete, 1 warning has been found!

WARNING: UndefinedVar
Usage of undefined variable '\$typo'
Dockerfile:3
--------------------
   1 |     FROM scratch
   2 |     WORKDIR /x
   3 | >>> COPY x\$typo /
     |           ^^^^^
   4 |     CMD [\"x\"]
   5 |     
--------------------
fix: set typo with ENV or ARG before" ]
	is "$stderr" ""
}

@test "no warnings: exit status 0, and it says so" {
	printf 'FROM scratch\nCMD ["x"]\n' >"$ctx/Dockerfile"
	run -0 --separate-stderr stave build --check "$ctx"
	is "$output" "Check complete, no warnings found."
	is "$stderr" ""
	run -0 stave build --call=check,format=json "$ctx"
	is "$(jq -c .warnings <<<"$output")" null
}

@test "nothing is made: no store, no image, nothing runs" {
	printf 'FROM nowhere:1\nRUN touch /tmp/%s\nCMD x\n' "$BATS_TEST_NAME" >"$ctx/Dockerfile"
	run -1 stave build --check "$ctx"
	has "$output" JSONArgsRecommended
	[ ! -e "$STAVE_ROOT" ]
	[ ! -e "/tmp/$BATS_TEST_NAME" ]
}

@test "a store is looked at, not touched" {
	require_root
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	dockerfile <<-'END'
	FROM scratch
	ENV FROM_BASE=1
	SHELL ["/bin/sh", "-ec"]
	END
	stave build -q -t based "$ctx"
	dockerfile <<-'END'
	FROM based
	LABEL a=$FROM_BASE b=$FROM_BAS
	CMD x
	END
	find "$STAVE_ROOT" -printf '%p %s %T@ %i\n' | sort >"$BATS_TEST_TMPDIR/before"
	run -1 stave build --check "$ctx"
	has "$output" "undefined variable '\$FROM_BAS'"
	has "$output" "fix: write \$FROM_BASE, or set FROM_BAS"
	hasnt "$output" "undefined variable '\$FROM_BASE'"
	hasnt "$output" JSONArgsRecommended
	find "$STAVE_ROOT" -printf '%p %s %T@ %i\n' | sort >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "a missing base leaves out what only it can know" {
	printf 'FROM nowhere:1\nENV PATH=$JAVA_HOME/bin:$PATH\nCOPY $dir /\n' >"$ctx/Dockerfile"
	run -0 stave build --check "$ctx"
	is "$output" "Check complete, no warnings found."
}

@test "an ordinary user can check" {
	require_root
	chmod 755 "$BATS_TEST_TMPDIR" "$ctx"
	printf 'FROM debian\nCMD x\n' >"$ctx/Dockerfile"
	local d=$BATS_TEST_TMPDIR
	while [ "$d" != / ]; do chmod o+x "$d"; d=$(dirname "$d"); done
	cp "$(command -v stave)" "$BATS_TEST_TMPDIR/stave"
	chmod 755 "$BATS_TEST_TMPDIR/stave"
	run -1 setpriv --reuid=65534 --regid=65534 --clear-groups env -u STAVE_ROOT \
		HOME=/nonexistent "$BATS_TEST_TMPDIR/stave" build --check "$ctx"
	has "$output" JSONArgsRecommended
	hasnt "$output" ERROR
}

@test "JSON has rule, detail, fix, place and the file" {
	printf 'FROM scratch\nENV a \\\n  b\nLABEL x=$y\n' >"$ctx/Dockerfile"
	run -1 --separate-stderr stave build --call=check,format=json "$ctx"
	is "$stderr" ""
	is "$(jq -c '[.warnings[].ruleName]' <<<"$output")" '["LegacyKeyValueFormat","UndefinedVar"]'
	is "$(jq -c '[.warnings[0].location.ranges[].start.line]' <<<"$output")" '[2,3]'
	is "$(jq -c '.warnings[1].mark' <<<"$output")" '{"line":4,"column":9,"length":2}'
	is "$(jq -r '.warnings[1].fix' <<<"$output")" 'set y with ENV or ARG before'
	is "$(jq -r '.sources[0].data' <<<"$output" | base64 -d)" "$(cat "$ctx/Dockerfile")"
	is "$(jq -r '.sources[0].filename' <<<"$output")" Dockerfile
}

@test "an error does not hide the warnings before it" {
	printf 'FROM scratch\nCMD x\nCOPY ${x?boom} /\n' >"$ctx/Dockerfile"
	run -1 --separate-stderr stave build --check "$ctx"
	has "$output" "Check complete, 2 warnings have been found!"
	has "$stderr" "x: boom"
	has "$stderr" "Dockerfile:3"
	run -1 --separate-stderr stave build --call=check,format=json "$ctx"
	has "$(jq -r .buildError.message <<<"$output")" "x: boom"
	is "$(jq -r '.buildError.location.ranges[0].start.line' <<<"$output")" 3
}

@test "skip, error and experimental, in the file and as build argument" {
	printf '# check=skip=JSONArgsRecommended;error=true\nFROM scratch\nCMD x\nWORKDIR x\n' \
		>"$ctx/Dockerfile"
	run -1 --separate-stderr stave build --check "$ctx"
	has "$output" "1 warning has been found"
	is "$stderr" "ERROR: lint violation found for rules: WorkdirRelativePath
hint: \`stave build --check\` shows each with its fix"
	run -1 stave build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=WorkdirRelativePath "$ctx"
	has "$output" "WARNING: JSONArgsRecommended"
	hasnt "$output" "ERROR"
	run -0 stave build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all "$ctx"
	run -1 stave build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skp=all "$ctx"
	has "$output" 'failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: invalid check option "skp"'
	printf '# words\nARG A=1\nFROM scratch\n' >"$ctx/Dockerfile"
	run -0 stave build --check "$ctx"
	run -1 stave build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=experimental=all "$ctx"
	has "$output" InvalidDefinitionDescription
}

@test "a syntax error does not hide the warnings before it either" {
	printf 'FROM scratch as a\nMAINTAINER me\nFROB\n' >"$ctx/Dockerfile"
	run -1 --separate-stderr stave build --check "$ctx"
	has "$output" "WARNING: FromAsCasing"
	has "$output" "WARNING: MaintainerDeprecated"
	has "$stderr" "ERROR: dockerfile parse error on line 3: unknown instruction: FROB"
}

@test "--call: names, fields and what is wrong with them" {
	printf 'FROM scratch\nCMD x\n' >"$ctx/Dockerfile"
	run -0 stave build --call=check,ignorestatus=true "$ctx"
	has "$output" "1 warning has been found"
	run -1 stave build --call=lint "$ctx"
	run -1 stave build --call=check,foo=bar "$ctx"
	has "$output" "invalid print field: foo=bar"
	run -1 stave build --call=frob "$ctx"
	has "$output" "unsupported request frontend.frob"
}

@test "--target: other stages are left out, their names are not" {
	printf 'FROM scratch as a\nCMD x\nFROM scratch AS b\nWORKDIR x\n' >"$ctx/Dockerfile"
	run -1 stave build --check "$ctx"
	has "$output" "3 warnings"
	run -1 stave build --check --target b "$ctx"
	has "$output" "2 warnings"
	hasnt "$output" JSONArgsRecommended
	run -1 stave build --check --target nope "$ctx"
	has "$output" 'target stage "nope" could not be found'
}

@test "targets" {
	cat >"$ctx/Dockerfile" <<-'END'
	# base is where all begins
	FROM scratch AS base
	FROM --platform=$BUILDPLATFORM base AS tools
	FROM base
	END
	run -0 stave build --call=targets "$ctx"
	is "$output" "TARGET    DESCRIPTION
base      is where all begins
tools     
(default) "
	run -0 stave build --call=targets,format=json "$ctx"
	is "$(jq -c '.targets[0] | [.name, .description, .base, .default]' <<<"$output")" \
		'["base","is where all begins","scratch",null]'
	is "$(jq -c '.targets[1].platform' <<<"$output")" '"$BUILDPLATFORM"'
	is "$(jq -c '.targets[2] | [.name, .default]' <<<"$output")" '[null,true]'
}

@test "outline" {
	cat >"$ctx/Dockerfile" <<-'END'
	# VERSION of the thing
	ARG VERSION=1
	ARG UNUSED=2
	ARG NAME=x$VERSION
	# out is what comes out
	FROM nowhere:$NAME AS out
	ARG VERSION
	ARG own=3 none
	FROM scratch AS other
	ARG elsewhere
	END
	run -0 stave build --call=outline --target out --build-arg own=4 "$ctx"
	is "$output" "TARGET:      out
DESCRIPTION: is what comes out

BUILD ARG   VALUE   DESCRIPTION
VERSION     1       of the thing
NAME        x1      
none                
own         4       "
	run -0 stave build --call=outline,format=json --target out "$ctx"
	is "$(jq -c '[.args[] | [.name, .value]]' <<<"$output")" \
		'[["VERSION","1"],["NAME","x1"],["none",null],["own","3"]]'
}

@test "outline: secrets and ssh agents of the stages that are needed" {
	cat >"$ctx/Dockerfile" <<-'END'
	FROM nowhere:1 AS base
	RUN --mount=type=secret,id=npm,required --mount=type=ssh make
	FROM nowhere:1 AS unused
	RUN --mount=type=secret,id=other make
	FROM base
	RUN --mount=type=secret,target=/x/token --mount=type=cache,target=/c make
	END
	run -0 stave build --call=outline "$ctx"
	is "$output" "SECRET   REQUIRED
npm      true
token    

SSH       REQUIRED
default   "
}

@test "a base image of another platform" {
	require_root
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	mkdir "$BATS_TEST_TMPDIR/tree"
	tar -C "$BATS_TEST_TMPDIR/tree" -c . |
		stave import --platform linux/s390x - mainframe >/dev/null
	printf 'FROM mainframe\n' >"$ctx/Dockerfile"
	run -1 stave build --check "$ctx"
	has "$output" "WARNING: InvalidBaseImagePlatform
mainframe is an image for linux/s390x, and linux/"
	printf 'FROM --platform=linux/s390x mainframe AS s390x\n' >"$ctx/Dockerfile"
	run -0 stave build --check "$ctx"
}

@test "a Dockerfile on standard input, and a context as an archive" {
	run -1 bash -c 'printf "FROM scratch\nCMD x\n" | stave build --check -'
	has "$output" "WARNING: JSONArgsRecommended"
	[ ! -e "$STAVE_ROOT" ]
	require_root
	printf 'FROM scratch\nCOPY a.key /\n' >"$ctx/Dockerfile"
	echo '*.key' >"$ctx/.dockerignore"
	run -1 bash -c "tar -C '$ctx' -c . | stave build --check -"
	has "$output" "WARNING: CopyIgnoredFile"
}

@test "colours on a terminal, unless NO_COLOR says no" {
	printf 'FROM scratch\nCMD x\n' >"$ctx/Dockerfile"
	command -v script >/dev/null || skip "needs script(1)"
	run script -qec "TERM=xterm stave build --check $ctx" /dev/null
	has "$output" $'\033[1;33mWARNING: JSONArgsRecommended'
	run script -qec "NO_COLOR=1 TERM=xterm stave build --check $ctx" /dev/null
	has "$output" "WARNING: JSONArgsRecommended"
	hasnt "$output" $'\033['
}

@test "control characters of a Dockerfile do not reach the terminal" {
	printf 'FROM scratch\nUSER a \033]0;b\007\n' >"$ctx/Dockerfile"
	run -1 stave build --check "$ctx"
	has "$output" UserExtraWords
	hasnt "$output" $'\033'
	hasnt "$output" $'\007'
}

@test "a build lists its warnings at the end" {
	require_root
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	printf 'FROM scratch\nCMD x\nWORKDIR /x\nLABEL a=$b\n' >"$ctx/Dockerfile"
	run -0 stave build --progress plain --build-arg UNKNOWN=1 "$ctx"
	has "$output" "
 3 warnings found (use stave build --check to expand):
"
	has "$output" " - UndefinedVar: Usage of undefined variable '\$b' (line 4)"
	has "$output" " - UnusedBuildArg: One or more build-args [UNKNOWN] were not consumed"
	sed -i '1i # check=error=true' "$ctx/Dockerfile"
	run -1 stave build "$ctx"
	has "$output" "lint violation found for rules: JSONArgsRecommended, UndefinedVar"
}
