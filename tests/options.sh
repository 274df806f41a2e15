#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The options that Docker's client lists for a command, stave lists too, and the other way
# round, but for those with a reason in tests/options.exempt.  As TAP; skips without Docker.
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.." || exit 1
stave=${STAVE:-build/stave}
exempt=tests/options.exempt
commands=(run create exec ps logs update start stop restart kill pause unpause attach cp commit
	export diff events stats top wait rename rm port inspect 'container prune' 'container ls'
	'container inspect')

echo "1..$((${#commands[@]} + 1))"
# the client lists what its daemon can do: without one it shows Windows' options, too
if ! docker version >/dev/null 2>&1; then
	for ((n = 1; n <= ${#commands[@]} + 1; n++)); do
		echo "ok $n # skip no Docker daemon answers"
	done
	exit 0
fi

# "-t --tty" or "--tty", one option a line
options() {
	sed -nE 's/^ +(-[A-Za-z]), (--[a-z0-9-]+).*/\1 \2/p; s/^ +(--[a-z0-9-]+).*/\1/p' |
		grep -vE -- '(^| )--help$' | sort -u
}

# COMMAND|SIDE|OPTIONS|REASON of the file, as lines "OPTIONS" for one command and side
exempted() {
	awk -F'|' -v c="$1" -v s="$2" '
		!/^#/ && $2 == s { n = split($1, names, /, */)
			for (i = 1; i <= n; i++) if (names[i] == c) print $3 }' "$exempt" | sort -u
}

n=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for command in "${commands[@]}"; do
	n=$((n + 1))
	# shellcheck disable=SC2086 # words of a command
	docker $command --help | options >"$work/docker"
	# shellcheck disable=SC2086
	"$stave" $command --help | options >"$work/stave"
	comm -23 "$work/docker" "$work/stave" >"$work/lacks"
	comm -13 "$work/docker" "$work/stave" >"$work/more"
	exempted "$command" docker >"$work/may-lack"
	exempted "$command" stave >"$work/may-have"
	said=$(
		comm -23 "$work/lacks" "$work/may-lack" | sed 's/^/# Docker alone has /'
		comm -23 "$work/more" "$work/may-have" | sed 's/^/# stave alone has /'
		comm -13 "$work/lacks" "$work/may-lack" | sed 's/^/# exempt without need: /'
		comm -13 "$work/more" "$work/may-have" | sed 's/^/# exempt without need: /'
	)
	[ -z "$said" ] || failed=1
	printf '%sok %d - %s\n%s' "${said:+not }" "$n" "$command" "${said:+$said
}"
done
n=$((n + 1))
if awk -F'|' '!/^#/ && NF && (NF != 4 || $4 == "") { bad = 1 } END { exit bad }' "$exempt"; then
	echo "ok $n - each exemption has a reason"
else
	failed=1
	echo "not ok $n - each exemption has a reason"
fi
exit $failed
