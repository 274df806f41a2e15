#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each man/stave-COMMAND.1.scd has exactly the options that `stave COMMAND --help`
# shows, letters and words, and man/stave.1.scd those of `stave --help`.  As TAP.
#   STAVE   the program (default: build/stave of this tree)
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.." || exit 1
stave=${STAVE:-build/stave}
pages=$(ls man/*.1.scd)
failed=0 n=0

echo "1..$(echo "$pages" | wc -l)"

# "-t --tag" or "--tag", one option a line; every page has --help by being one of a command
of_help() {
	sed -nE 's/^ +(-[A-Za-z]), (--[a-z0-9-]+).*/\1 \2/p; s/^ +(--[a-z0-9-]+).*/\1/p' |
		grep -vE -- '(^| )--help$' | sort
}

# Options stand in lines of their own: *-t*, *--tag* _name_
of_page() {
	sed -nE '/^# [A-Z]*OPTIONS$/,/^# /p' "$1" |
		sed -nE 's/^\*(-[A-Za-z])\*, \*(--[a-z0-9-]+)\*.*/\1 \2/p; s/^\*(--[a-z0-9-]+)\*.*/\1/p' |
		grep -vE -- '(^| )--help$' | sort
}

for page in $pages; do
	n=$((n + 1))
	name=$(basename "$page" .1.scd)
	command=$(echo "${name#stave}" | tr - ' ')
	if ! [ -x "$stave" ]; then
		echo "ok $n - $name # SKIP $stave is not there"
		continue
	fi
	# shellcheck disable=SC2086 # words of a command
	help=$("$stave" $command --help 2>&1) || help=
	shown=$(mktemp) written=$(mktemp)
	printf '%s\n' "$help" | of_help >"$shown"
	of_page "$page" >"$written"
	if [ -n "$help" ] && cmp -s "$shown" "$written"; then
		echo "ok $n - $name"
	else
		failed=1
		echo "not ok $n - $name"
		[ -n "$help" ] || echo "# \`stave$command --help\` says nothing"
		comm -23 "$shown" "$written" | sed 's/^/# not in the page: /'
		comm -13 "$shown" "$written" | sed 's/^/# not in --help:   /'
	fi
	rm -f "$shown" "$written"
done
exit $failed
