#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh - from nothing to a running image: installs what is missing, builds
# stave, makes a Debian tree, imports it, builds examples/hello on it, runs it.
#
# The tree and the store stay below build/ for the next time.
#   STAVE_ROOT    another store          (default: build/demo-store)
#   DEMO_MIRROR   another Debian mirror  (default: http://deb.debian.org/debian)
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if [ "$(id -u)" != 0 ]; then
	cat >&2 <<-'END'
	make demo needs root: debootstrap makes a Debian tree with its owners and device nodes.
	Run it as `sudo make demo`.  Everything it makes is below build/, except Debian packages
	that are missing (scripts/packages) and the bridge stave0 with its rules.
	END
	exit 1
fi

build=${BUILD:-build}
mirror=${DEMO_MIRROR:-http://deb.debian.org/debian}
tree=$build/demo-tree

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Shows a command, runs it, and says how long it took.
step() {
	local from to
	printf '$ %s\n' "$*"
	from=$(date +%s%N)
	"$@"
	to=$(date +%s%N)
	printf -- '-- %d.%03d s\n' $(((to - from) / 1000000000)) $(((to - from) / 1000000 % 1000))
}

say "What it needs"
scripts/deps.sh build run demo
echo "all there"

say "stave itself"
make --no-print-directory BUILD="$build" all | tail -n 1
export STAVE_ROOT=${STAVE_ROOT:-$PWD/$build/demo-store}
PATH=$PWD/$build:$PATH
stave version

# debootstrap is not restartable: a tree counts when its last line was reached
if [ ! -e "$tree.done" ]; then
	say "A Debian tree"
	rm -rf "$tree"
	step debootstrap --variant=minbase bookworm "$tree" "$mirror" >"$tree.log" ||
		fail "debootstrap failed; the last lines of $tree.log: $(tail -n 3 "$tree.log")"
	rm -rf "$tree"/var/cache/apt/archives/*.deb
	touch "$tree.done"
fi

say "A base image out of it"
import_tree() { tar -C "$tree" -c . | stave import - debian:bookworm; }
printf '$ tar -C %s -c . | stave import - debian:bookworm\n' "$tree"
step import_tree | grep -v '^\$ '

say "An image of a small Python program"
step stave build -t hello examples/hello

say "Run it"
output=$(stave run --rm hello)
printf '$ stave run --rm hello\n%s\n' "$output"
[ "$output" = "Hello Simon" ] || fail "it should have said: Hello Simon"

say "Build it again: all is cached"
step stave build --progress=plain -t hello examples/hello 2>&1 | tee "$build/demo-again.log"
cached=$(grep -c 'CACHED' "$build/demo-again.log") || true
[ "$cached" -ge 2 ] || fail "the second build should have found RUN and COPY in the cache"

say "What there is now"
stave images
printf '\nThe demo worked.\n'
