#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test.sh [NAME...] - builds, runs every test and counts
#
# Three kinds, all of which speak TAP (a program that does not is one test,
# by its exit status): what meson knows (unit, fuzz corpora), tests/*.sh,
# tests/cli/*.bats.  NAME picks some: "unit", or files without their ending.
# The last line is "N passed, N failed", and ", N skipped" when some were.
#   BUILD   the build directory (default: build)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

build=${BUILD:-build}
only=" $* "
scripts/deps.sh build run test
make --no-print-directory BUILD="$build" all
STAVE=$(readlink -f "$build")/stave
export STAVE STAVE_SOURCE=$PWD CMOCKA_MESSAGE_OUTPUT=TAP
# the unit tests start the helpers that were built with them
STAVE_LIBEXEC=$(readlink -f "$build")/src
export STAVE_LIBEXEC
unset STAVE_ROOT SOURCE_DATE_EPOCH
logs=$build/test-logs
mkdir -p "$logs"

passed=0 failed=0 skipped=0

wanted() { [ "$only" = "  " ] || [[ $only == *" $1 "* ]]; }

# "PASSED FAILED SKIPPED" of a TAP log.  A plan that was not kept, and a bad
# exit status that no "not ok" explains, are failures too; cmocka before 2.0
# writes "not ok" in front of what was skipped.
count() {
	awk -v status="$2" '
		/^1\.\.[0-9]+/ { split($1, p, /\.\./); planned += p[2]; plan = 1 }
		/^(not )?ok .*# (skip|SKIP)/ { skip++; next }
		/^ok / { ok++ }
		/^not ok / { bad++ }
		END {
			if (!plan && !ok && !bad && !skip) {
				if (status == 0) ok++; else bad++
			} else {
				if (plan && ok + bad + skip < planned)
					bad += planned - ok - bad - skip
				if (status != 0 && !bad) bad++
			}
			print ok + 0, bad + 0, skip + 0
		}' "$1"
}

# What went wrong: each "not ok" with the comment lines behind it, or all of a
# log that says nothing in TAP.
show_failures() {
	if grep -q '^not ok ' "$1"; then
		awk '/^not ok / && !/# SKIP/ { on = 1; print "    " $0; next }
			/^(not )?ok |^1\.\./ { on = 0 }
			on { print "    " $0 }' "$1"
	fi
	# 124 and more: it hung or was killed, and the end of the log says more
	grep -q '^not ok ' "$1" && [ "$2" -lt 124 ] || tail -n 40 "$1" | sed 's/^/    /'
}

one() {
	local name=$1 log from status=0 n ok bad skip
	shift
	log=$logs/$name.log
	from=$(date +%s%N)
	# no file takes a tenth of this: what hangs must not hang everything
	timeout -k 5 300 "$@" </dev/null >"$log" 2>&1 || status=$?
	n=$((($(date +%s%N) - from) / 100000000))
	read -r ok bad skip < <(count "$log" "$status")
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	printf '%-6s %-26s %4d passed' "$([ "$bad" = 0 ] && echo ok || echo FAILED)" "$name" "$ok"
	[ "$bad" = 0 ] || printf ', %d failed' "$bad"
	[ "$skip" = 0 ] || printf ', %d skipped' "$skip"
	printf '  (%d.%d s)\n' $((n / 10)) $((n % 10))
	[ "$bad" = 0 ] || show_failures "$log" "$status"
	grep -o '# skip .*' "$log" | sort | uniq -c | sed 's/# skip /skipped: /' || true
}

if wanted unit; then
	while IFS=$'\t' read -r -a words; do
		one "${words[@]}"
	done < <(meson introspect --tests "$build" | python3 -c '
import json, sys
for t in json.load(sys.stdin):
    print("\t".join([t["name"]] + t["cmd"]))')
fi
for file in tests/*.sh; do
	name=$(basename "$file" .sh)
	if [ -e "$file" ] && wanted "$name"; then one "$name" bash "$file"; fi
done
for file in tests/cli/*.bats; do
	name=$(basename "$file" .bats)
	if [ -e "$file" ] && wanted "$name"; then one "$name" bats --tap "$file"; fi
done

printf '\n%d passed, %d failed' "$passed" "$failed"
[ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
printf '\n'
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
