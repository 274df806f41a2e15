#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kill_build.sh [N] - kill -9 at N (200) random moments of a build
#
# After each: `system check` must be clean and the next build right.  Wants
# STAVE_ROOT with an image "busybox"; the program is found by PATH or $STAVE.
set -euo pipefail

count=${1:-200}
PATH=$(dirname "$(command -v "${STAVE:-stave}")"):$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
for i in $(seq 300); do head -c 3000 /dev/urandom >"$dir/src/f$i"; done
cat >"$dir/Dockerfile" <<'END'
FROM busybox
ARG X
RUN echo $X > /x && mkdir /big && for i in 1 2 3 4; do head -c 500000 /dev/zero > /big/$i; done
WORKDIR /w
COPY src /src
RUN rm -r /big && echo done > /y
END

build() { stave build -q -t killed --build-arg "X=$1" "$dir"; }

now_us() { echo "${EPOCHREALTIME/./}"; }

from=$(now_us)
build first >/dev/null
full=$(($(now_us) - from))
bad=0 whole=0
for i in $(seq "$count"); do
	build "$i" >/dev/null 2>&1 &
	pid=$!
	delay=$((RANDOM * full / 30000))
	sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
	kill -9 $pid 2>/dev/null || whole=$((whole + 1))
	wait $pid 2>/dev/null || true
	if ! said=$(stave system check 2>&1); then
		bad=$((bad + 1))
		printf 'after kill %d: %s\n' "$i" "$said"
	fi
	if ((i % 5 == 0)); then
		build "$i" >/dev/null
		got=$(stave run --rm --network none killed cat /x /y | tr '\n' ' ')
		if [ "$got" != "$i done " ]; then
			bad=$((bad + 1))
			printf 'the build after kill %d: %s\n' "$i" "$got"
		fi
	fi
done
echo "$count kills ($whole came too late), $bad bad"
[ "$bad" = 0 ]
