#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The house rules that a reader of includes can check, as TAP:
#   ranks      a directory includes lower ranks only, by their one public header
#   headers    own header first, base/banned.h last
#   licence    an SPDX line at the top of each file
#   paths      calls that resolve or change a path, in the files listed below only
# Usage: tests/ranks.sh [SOURCE-DIRECTORY]
# shellcheck disable=SC2086 # names of ours have no blanks
set -u
LC_ALL=C
export LC_ALL
cd "${1:-$(dirname "$0")/..}" || exit 1

# Rank and directory, as in docs/architecture.md.  fetch/ is a program of its own
# that may include nothing of ours, and so has rank 0.
ranks='
0 base
0 fetch
1 oci
1 dockerfile
2 store
2 snapshot
2 layer
2 registry
2 network
2 remote
2 sandbox
3 image
3 runtime
4 build
5 engine
6 compose
7 cli
'

# Who may call open(2) and its family on a name, and why.  An entry that ends
# in a slash is a directory.  A new line here needs a reason as good as these:
# the name is one component under a descriptor of ours, or the user's own path,
# or it lies below /proc, /sys or /dev.
paths='
src/base/                root.c resolves, io.c and process.c open single components and /proc
src/store/               names below the store that the store itself made
src/snapshot/            single components of layers/ and the mount calls
src/layer/               an opened parent and one component; nothing is followed
src/network/             /proc/sys, /etc/resolv.conf, the address file in /run/stave
src/sandbox/             host sources of binds, /proc, cgroups; the root only through root.h
src/fetch/transfer_main.c certificates of the user
src/fetch/confine.c      names what may be read: of the resolver and certificates
src/fetch/git_main.c     confines git: directories of the system and of its command line
src/remote/              names below cache/ that we made
src/registry/            files of the user: credentials and certificates
src/image/pull_layers.c  names below cache/pull that we made
src/image/blobs.c        the same
src/runtime/stdio.c      /dev/null
src/runtime/cdi.c        /etc/cdi, /var/run/cdi, and the nodes that they name
src/runtime/device.c     device nodes of the host that the user names (--device)
src/runtime/resources.c  the same (--device-read-bps); /sys/devices/system
src/runtime/copy.c       reopens a descriptor of ours through /proc/self/fd
src/runtime/etc.c        single components in a directory that we made
src/build/tree.c         stat of one component below an opened directory, no link followed
src/build/cache_export.c the directory of --cache-to, and single components below it
src/build/cache_source.c the directory of --cache-from
src/build/cache_mounts.c names in cachemounts/DIR that we made
src/build/explain_log.c  names in history/ that we made
src/build/emulate.c      /proc/sys/fs/binfmt_misc
src/build/files.c        the same
src/build/history.c      the same
src/build/past.c         the same
src/build/mount_cache.c  one component below a cache mount or a view, no link followed
src/build/mount_open.c   layers/DIR/mounts and names in memory that we made
src/build/mount_points.c an opened parent and one component
src/build/mount_secret.c paths that the user wrote on the command line
src/build/mount_ssh.c    the same; /dev/null; the current directory
src/build/step_container.c layers/DIR/etc, a directory in memory
src/build/step_run.c     /dev/null; layers/DIR of ours; one component at a time
src/build/worker.c       layers/DIR, a name that the store made
src/engine/              paths that the user wrote on the command line
src/cli/                 paths that the user wrote on the command line
'

tap_n=0
tap() { # name, text of the problems
	tap_n=$((tap_n + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_n - $1"
	else
		echo "not ok $tap_n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		failed=1
	fi
}
failed=0

sources=$(find src -name '*.[ch]' | sort)
[ -n "$sources" ] || { echo "Bail out! no sources below $PWD/src"; exit 1; }
echo 1..6

tap 'every directory has a rank' "$(
	{ printf '%s\n' "$ranks"; echo; ls -d src/*/; } | awk '
	NF == 2 { rank[$2] = 1 }
	NF == 1 { sub(/^src\//, ""); sub(/\/$/, ""); if (!($0 in rank)) print $0 ": not in the table" }'
)"

tap 'includes look down, through public headers' "$(
	printf '%s\n' "$ranks" | awk '
	FILENAME == "-" { if (NF) rank[$2] = $1; next }
	/^#include "/ {
		split(FILENAME, at, "/"); own = at[2]
		split($2, q, "\""); header = q[2]
		n = split(header, part, "/"); dir = part[1]
		where = FILENAME ":" FNR ": "
		if (n != 2) { print where header " is not DIRECTORY/HEADER.h"; next }
		if (dir == own) next
		if (!(dir in rank)) { print where header ": no such directory"; next }
		if (rank[dir] >= rank[own])
			print where own " (rank " rank[own] ") includes " header " (rank " rank[dir] ")"
		if (dir != "base" && header != dir "/" dir ".h")
			print where header " is private to " dir "/"
		# front ends see the use cases only
		if (rank[own] > rank["engine"] && dir != "base" && dir != "engine" && dir != "compose")
			print where own " may include base, engine" (own == "cli" ? ", compose" : "") " only"
	}' - $sources
)"

tap 'each .c file includes its own header first' "$(
	for c in $sources; do
		case $c in *.c) ;; *) continue ;; esac
		dir=$(basename "$(dirname "$c")") name=$(basename "$c" .c)
		first=$(sed -n 's/^#include //p;' "$c" | head -n 1)
		# a private header that brings it along may stand for it
		for own in "$dir/$name.h" "$dir/${dir}_$name.h"; do
			if ! [ -f "src/$own" ] || [ "$first" = "\"$own\"" ]; then continue; fi
			via=src/$(echo "$first" | tr -d '"')
			case $via in
			"src/$dir/"*) grep -q "^#include \"$own\"" "$via" && continue ;;
			esac
			echo "$c: first include is $first, not \"$own\""
		done
	done
)"

tap 'each .c file ends its includes with base/banned.h' "$(
	for c in $sources; do
		case $c in src/fetch/*) continue ;; *.c) ;; *) continue ;; esac
		last=$(sed -n 's/^#include //p' "$c" | tail -n 1)
		[ "$last" = '"base/banned.h"' ] || echo "$c: last include is $last"
	done
)"

tap 'SPDX line at the top of each file' "$(
	find src tests -name '*.[ch]' | sort | while read -r f; do
		[ "$(head -n 1 "$f")" = '/* SPDX-License-Identifier: Apache-2.0 */' ] || echo "$f"
	done
)"

tap 'paths are resolved where they may be' "$(
	printf '%s\n' "$paths" | awk '
	FILENAME == "-" { if (NF) allowed[$1] = 1; next }
	FNR == 1 {
		dir = FILENAME; sub(/[^\/]*$/, "", dir)
		skip = (FILENAME in allowed) || (dir in allowed)
	}
	skip || FILENAME !~ /\.c$/ || /^[ \t]*(\/?\*|\/\/)/ { next }
	{
		line = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
		if (match(line, /(^|[^A-Za-z0-9_>.])(open|openat|openat2|creat|fopen|opendir|mkdir|mkdirat|mknod|mknodat|chmod|fchmodat|chown|lchown|fchownat|chdir|fchdir|chroot|realpath|rename|renameat|renameat2|link|linkat|symlink|symlinkat|unlink|unlinkat|rmdir|remove|stat|lstat|fstatat|statx|access|faccessat|readlink|readlinkat|truncate|utimensat|utimes|umask|mount|umount|umount2|getxattr|lgetxattr|setxattr|lsetxattr|listxattr|llistxattr|removexattr|lremovexattr)\(/))
			print FILENAME ":" FNR ": " substr(line, RSTART, RLENGTH) ")"
	}' - $sources
)"

# an entry that nothing needs any more is an open door
printf '%s\n' "$paths" | while read -r entry _; do
	[ -z "$entry" ] || [ -e "$entry" ] || echo "# $entry is in the list of paths and not in the tree"
done
exit $failed
