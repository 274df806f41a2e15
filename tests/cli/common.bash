# SPDX-License-Identifier: Apache-2.0
#
# What the user stories share: a private store with a small base image, a
# context for each test, and assertions that show what they saw.
#
#   STAVE         the program (default: build/stave of this tree)
#   $ctx          the build context of this test
#   $base         "busybox": /bin/busybox with a link for each of its programs

bats_require_minimum_version 1.5.0

source_root=$(readlink -f "$BATS_TEST_DIRNAME/../..")
PATH=$(dirname "${STAVE:-$source_root/build/stave}"):$PATH

setup() { common_setup; }

common_setup() {
	[ -n "${needs_no_root-}" ] || require_root
	ctx=$BATS_TEST_TMPDIR/ctx
	mkdir -p "$ctx"
}

# To be called in setup_file(), by a file whose tests need root.
private_store() {
	unset SOURCE_DATE_EPOCH
	# its tests will say why they do not run: setup_file() cannot
	am_root || return 0
	export STAVE_ROOT=$BATS_FILE_TMPDIR/store
	# every process of this file's containers can be told by it
	export MARK=7$((RANDOM % 9000 + 1000))$$
	base_tree "$BATS_FILE_TMPDIR/base"
	import_base
}

# The same image in every store: its history has a time too.
import_base() {
	tar -C "$BATS_FILE_TMPDIR/base" --owner=0 --group=0 --numeric-owner --mtime=@1700000000 \
		--sort=name -c . | SOURCE_DATE_EPOCH=1700000000 stave import - busybox >/dev/null
}

# Another machine: a store with the base image and nothing else.
elsewhere() {
	export STAVE_ROOT=$BATS_TEST_TMPDIR/elsewhere${1-}
	import_base
}

# A root file system of busybox-static: as small as one that can RUN gets.
base_tree() {
	local applet
	mkdir -p "$1"/{bin,etc,root,home/app} "$1/tmp"
	chmod 1777 "$1/tmp"
	cp "$(command -v busybox)" "$1/bin/busybox"
	for applet in $("$1/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'app:x:1000:1000:app:/home/app:/bin/sh' \
		'nobody:x:65534:65534:nobody:/:/bin/false' >"$1/etc/passwd"
	printf '%s\n' 'root:x:0:' 'app:x:1000:' 'staff:x:50:app' 'nogroup:x:65534:' >"$1/etc/group"
}

am_root() { [ "$(id -u)" = 0 ]; }

# Sanitizers need memory, and addresses without end.
sanitized() { [[ $(ldd "$(command -v stave)" 2>&1) == *libasan* ]]; }

require_root() { am_root || skip "needs root"; }

# ---- building ----

# The Dockerfile of this test, from standard input.
dockerfile() { cat >"$ctx/Dockerfile"; }

# Builds $ctx as the image "t", quietly.
build() { stave build -q -t t "$@" "$ctx" >/dev/null; }

# Builds and leaves the plain progress in $output.
build_log() { run stave build --progress=plain -t t "$@" "$ctx"; }

# How many steps of $output came from the cache.
cached() { grep -c ' CACHED' <<<"$output" || true; }

# Runs words in the image "t".
in_t() { stave run --rm --network none t "$@"; }

config() { stave inspect --format "$1" t; }

layers_of() { stave inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" | grep .; }

# ---- other programs ----

# PEERS: a root file system with skopeo and podman in it, if they are not in PATH
peer() {
	if command -v "$1" >/dev/null; then
		"$@"
	elif [ -n "${PEERS-}" ]; then
		chroot "$PEERS" "$@"
	else
		return 127
	fi
}

# A port that nobody has, from a range that the kernel does not give away.
free_port() {
	local p
	while p=$((RANDOM % 12000 + 20000)); do
		[ -n "$(ss -Hltnu "sport = :$p")" ] || break
	done
	echo "$p"
}

# ---- assertions ----

is() {
	[ "$1" = "$2" ] || {
		printf 'got:      %s\nexpected: %s\n' "$1" "$2"
		return 1
	}
}

differ() {
	[ "$1" != "$2" ] || {
		printf 'both are: %s\n' "$1"
		return 1
	}
}

has() {
	[[ $1 == *"$2"* ]] || {
		printf 'looked for: %s\nin: %s\n' "$2" "$1"
		return 1
	}
}

hasnt() {
	[[ $1 != *"$2"* ]] || {
		printf 'should not be there: %s\nin: %s\n' "$2" "$1"
		return 1
	}
}

# STATUS: of the last run
ended() {
	[ "$status" = "$1" ] || {
		printf 'exit status %s instead of %s; it said:\n%s\n' "$status" "$1" "$output"
		return 1
	}
}

# ---- what a command must not leave behind ----

processes_left() {
	local pid
	for pid in /proc/[0-9]*; do
		case $(cat "$pid/comm" 2>/dev/null) in
		stave*) tr '\0' '\n' <"$pid/environ" 2>/dev/null | grep -qx "STAVE_ROOT=$STAVE_ROOT" &&
			echo "${pid#/proc/}: stave" ;;
		esac
	done 2>/dev/null
	[ -z "${MARK-}" ] || pgrep -af "sleep $MARK" || true
}

# Mounts of our store that any process sees.
mounts_left() {
	cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F "$STAVE_ROOT" | sort -u || true
}

links() { ip -o link 2>/dev/null | sed 's/^[0-9]*: //; s/[@:].*//' | grep -v '^stave0$' | sort; }

cgroups() {
	find /sys/fs/cgroup -type d -path '*/stave/*' -regextype egrep -regex '.*/[0-9a-f]{64}' \
		2>/dev/null | sort
}

# Waits a little: the kernel takes links and name spaces away when it has time.
# SLOW: how many times slower than a real one this machine is (tests/vm/run)
settled() {
	local i end=$((SECONDS + 4 * ${SLOW:-1}))
	for ((i = 0; i < 40 || SECONDS < end; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

# Call before: remembers links and cgroups that others have.
watch_machine() {
	links >"$BATS_TEST_TMPDIR/links"
	cgroups >"$BATS_TEST_TMPDIR/cgroups"
}

machine_is_clean() {
	[ -z "$(processes_left)$(mounts_left)" ] &&
		[ -z "$(comm -13 "$BATS_TEST_TMPDIR/links" <(links))" ] &&
		[ -z "$(comm -13 "$BATS_TEST_TMPDIR/cgroups" <(cgroups))" ]
}

nothing_left() {
	settled machine_is_clean || {
		printf 'left behind:\n'
		processes_left
		mounts_left
		comm -13 "$BATS_TEST_TMPDIR/links" <(links)
		comm -13 "$BATS_TEST_TMPDIR/cgroups" <(cgroups)
		return 1
	}
	store_is_clean
}

# No problem in the store, and no directory that no row knows.
store_is_clean() {
	local said
	said=$(stave system check 2>&1) || {
		printf 'system check: %s\n' "$said"
		return 1
	}
	if [ -n "$(ls "$STAVE_ROOT/leases")" ]; then
		printf 'leases left: %s\n' "$(ls "$STAVE_ROOT/leases")"
		return 1
	fi
}
