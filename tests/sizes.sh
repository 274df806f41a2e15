#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A function fits on a screen and a file in a head, as TAP: no function over
# 100 lines, no file over 800.  Needs universal-ctags for the functions.
# Usage: tests/sizes.sh [SOURCE-DIRECTORY]
# shellcheck disable=SC2086 # names of ours have no blanks
set -u
cd "${1:-$(dirname "$0")/..}" || exit 1
function_lines=100
file_lines=800
failed=0

tap() { # number, name, text of the problems
	if [ -z "$3" ]; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		printf '%s\n' "$3" | sed 's/^/# /'
		failed=1
	fi
}

sources=$(find src tests -name '*.[ch]' | sort)
echo 1..2
tap 1 "files have at most $file_lines lines" "$(
	awk -v max=$file_lines 'FNR == 1 { if (n > max) print f ": " n; f = FILENAME } { n = FNR }
	END { if (n > max) print f ": " n }' $sources
)"

if ! ctags --version 2>/dev/null | grep -q '^Universal Ctags'; then
	echo "ok 2 - functions have at most $function_lines lines # SKIP no universal-ctags"
	exit $failed
fi
tap 2 "functions have at most $function_lines lines" "$(
	ctags -x --languages=C --kinds-C=f --_xformat='%{input} %n %{end} %N' $sources |
		awk -v max=$function_lines '$3 - $2 + 1 > max { print $1 ":" $2 ": " $4 " has " $3 - $2 + 1 }'
)"
exit $failed
