# SPDX-License-Identifier: Apache-2.0
# What takes up the disk, and getting it back.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	am_root || return 0
	# each test begins with the base image alone
	STAVE_ROOT=$BATS_TEST_TMPDIR/store
	cp -a "$BATS_FILE_TMPDIR/store" "$STAVE_ROOT"
}

# FILE MEGABYTES [SECONDS]: a step with that result
step() { echo "RUN sleep ${3:-0}; head -c ${2}000000 /dev/urandom > /$1"; }

# A file in many pieces has one block more once it is written: df looks at it before, du after.
settle() { sync -f "$STAVE_ROOT"; }

disk() { du -s --block-size=1 "$STAVE_ROOT" | cut -f1; }

# What df says of one line of the store, in bytes.
df_bytes() {
	stave system df -v --format \
		"{{range .Store}}{{if eq .What \"$1\"}}{{.SizeBytes}}{{end}}{{end}}"
}

# What du says the cache keeps by itself, in bytes.
cache_bytes() {
	local sum=0 shared size
	while read -r shared size; do
		[ "$shared" = true ] || sum=$((sum + size))
	done < <(stave builder du --format '{{.Shared}} {{.SizeBytes}}')
	echo $sum
}

three_steps() {
	{
		echo 'FROM busybox'
		step dear 1 2
		step cheap 4
		step last 2 1
	} | dockerfile
	build
}

@test "df adds up to what du says, whatever is in the store" {
	settle
	is "$(df_bytes total)" "$(disk)"
	three_steps
	settle
	is "$(df_bytes total)" "$(disk)"
	stave run --network none t sh -c 'head -c 500000 /dev/urandom > /own'
	settle
	is "$(df_bytes total)" "$(disk)"
	stave rmi -f t
	stave container prune -f
	stave builder prune -f --max-used-space 3mb
	is "$(df_bytes total)" "$(disk)"
	stave system prune -af
	is "$(df_bytes total)" "$(disk)"
	is "$(df_bytes images)$(df_bytes containers)$(df_bytes 'build cache: layers')" 000
}

@test "df counts a layer that two images share once" {
	three_steps
	local before
	before=$(df_bytes images)
	printf 'FROM t\nLABEL x=y\n' | stave build -q -t second - >/dev/null
	[ "$(($(df_bytes images) - before))" -lt 20000 ]
	run stave system df -v
	has "$output" "SHARED SIZE"
	run stave system df --format '{{.Type}}:{{.TotalCount}}:{{.Active}}'
	is "${lines[0]}" Images:3:0
	is "${lines[1]}" Containers:0:0
	is "${lines[2]}" "Local Volumes:0:0"
	stave run --network none t true
	run stave system df --format '{{.Type}}:{{.TotalCount}}:{{.Active}}'
	is "${lines[0]}" Images:3:1
	is "${lines[1]}" Containers:1:0
}

@test "df prints Docker's table, and json a line" {
	run stave system df
	has "${lines[0]}" "TYPE"
	has "${lines[0]}" "RECLAIMABLE"
	has "${lines[1]}" "(100%)"
	has "${lines[4]}" "Build Cache"
	run stave system df --format json
	has "${lines[0]}" '"Type":"Images"'
	run stave system df --format '{{.Nope}}'
	ended 1
}

@test "builder du: what images have too is marked, and summed apart" {
	three_steps
	run stave builder du
	is "${lines[0]}" "ID                          RECLAIMABLE   SIZE       LAST ACCESSED"
	has "$output" "MB*"
	has "$output" "Shared:"
	stave rmi t
	run stave builder du
	hasnt "$output" "MB*"
	hasnt "$output" "Shared:"
	run stave builder du --verbose --filter 'description~=/cheap$'
	is "$(grep -c '^ID:' <<<"$output")" 1
	has "$output" "Description:	RUN sleep 0; head -c 4000000 /dev/urandom > /cheap"
	hasnt "$output" "Total:"
	run stave buildx du --format json --filter type=regular
	is "${#lines[@]}" 3
	local id
	id=$(stave builder du --format '{{.ID}}' --filter 'description~=/dear$')
	is "$(stave builder du --format '{{.Description}}' --filter "id=$id" | grep -c dear)" 1
	is "$(stave builder du --format '{{.ID}}' --filter "id!=$id" --filter type=regular | wc -l)" 2
}

@test "builder prune leaves what images use, -a forgets that too" {
	three_steps
	run stave builder prune -f
	ended 0
	build_log
	is "$(cached)" 4
	run stave builder prune -af
	has "$output" "Total:"
	build_log
	is "$(cached)" 1
	store_is_clean
}

@test "a ceiling is kept, and what is cheap to make again goes first" {
	three_steps
	stave rmi t
	run stave builder prune -f --max-used-space 4mb
	ended 0
	hasnt "$output" "$(stave builder du --format '{{.ID}}' --filter 'description~=/dear$')"
	[ "$(cache_bytes)" -le 4194304 ]
	is "$(stave builder du --filter description~=/cheap --format x)" ""
	is "$(stave builder du --filter description~=/last --format x)" x
	run stave builder prune -f --max-used-space 1500kb
	[ "$(cache_bytes)" -le 1536000 ]
	is "$(stave builder du --filter description~=/dear --format x)" x
	run stave builder prune -f --max-used-space 1500kb
	is "$output" "Total:	0B"
	run stave builder prune -f --reserved-space 1k
	[ "$(cache_bytes)" -le 1024 ]
	store_is_clean
}

@test "reserved space is never touched; --keep-storage is its old name" {
	three_steps
	stave rmi t
	run stave builder prune -f --max-used-space 1k --reserved-space 100mb
	is "$output" "Total:	0B"
	run stave builder prune -f --keep-storage 100mb
	has "$output" "has been deprecated"
	has "$output" "Total:	0B"
	run stave builder prune -f --min-free-space 1k
	is "$output" "Total:	0B"
	run stave builder prune -f --max-used-space zz
	ended 125
	has "$output" "invalid size: 'zz'"
}

@test "builder prune by age and by filter" {
	three_steps
	stave rmi t
	run stave builder prune -f --filter until=24h
	is "$output" "Total:	0B"
	run stave builder prune -f --filter unused-for=x
	ended 1
	has "$output" "expects a duration (e.g., '24h')"
	run stave builder prune -f --filter bogus=1
	ended 1
	run stave builder prune -f --filter bogus
	ended 125
	run stave builder prune -f --filter 'description~=/cheap$'
	is "$(stave builder du --format x --filter type=regular | wc -l)" 2
	run stave builder prune -af --filter until=0s
	is "$(stave builder du --format x | wc -l)" 0
}

@test "the prompts, and no for an answer" {
	three_steps
	local was
	was=$(disk)
	run stave builder prune <<<n
	ended 0
	is "$output" "WARNING! This will remove all dangling build cache. Are you sure you want to continue? [y/N] "
	run stave builder prune -a </dev/null
	is "$output" "WARNING! This will remove all build cache. Are you sure you want to continue? [y/N] "
	run stave image prune <<<n
	is "$output" "WARNING! This will remove all dangling images.
Are you sure you want to continue? [y/N] "
	run stave image prune -a <<<n
	is "$output" "WARNING! This will remove all images without at least one container associated to them.
Are you sure you want to continue? [y/N] "
	run stave container prune <<<n
	is "$output" "WARNING! This will remove all stopped containers.
Are you sure you want to continue? [y/N] "
	run stave system prune -a --volumes --filter label=x=y <<<n
	is "$output" "WARNING! This will remove:
  - all stopped containers
  - all networks not used by at least one container
  - all anonymous volumes not used by at least one container
  - all images without at least one container associated to them
  - all build cache

  Items to be pruned will be filtered with:
  - label=x=y

Are you sure you want to continue? [y/N] "
	is "$(disk)" "$was"
	run stave image prune -a <<<y
	has "$output" "Deleted Images:"
}

@test "image prune: dangling ones, all unused ones, by label and age" {
	printf 'FROM busybox\nRUN true\nLABEL keep=1\n' | stave build -q -t a - >/dev/null
	printf 'FROM busybox\nRUN true\nLABEL keep=2\n' | stave build -q -t a - >/dev/null
	printf 'FROM busybox\nRUN true\nLABEL keep=3\n' | stave build -q -t used - >/dev/null
	stave run --network none used true
	run stave image prune -f --filter until=24h
	is "$output" "Total reclaimed space: 0B"
	run stave image prune -f --filter label=keep=2
	is "$output" "Total reclaimed space: 0B"
	run stave image prune -f --filter label=keep
	has "${lines[0]}" "Deleted Images:"
	has "${lines[1]}" "deleted: sha256:"
	has "$output" "Total reclaimed space: "
	run stave image prune -af --filter label!=keep=2
	has "$output" "untagged: busybox:latest"
	hasnt "$output" used
	run stave image prune -af --filter until=0s
	has "$output" "untagged: a:latest"
	is "$(stave images --format '{{.Repository}}')" used
	run stave image prune -f --filter until=zzz
	ended 1
	has "$output" 'failed to parse value as time or duration: "zzz"'
	run stave image prune -f --filter bogus=x
	ended 1
	has "$output" "invalid filter 'bogus'"
	run stave image prune -f --filter until=1h --filter until=2h
	ended 1
	store_is_clean
}

@test "until takes a time, with and without a zone, and seconds" {
	printf 'FROM busybox\nRUN true\nLABEL x=1\n' | stave build -q -t a - >/dev/null
	local when
	for when in 2001-01-01 2001-01-01T10:00 2001-01-01T10:00:05Z 1000000000; do
		run stave image prune -af --filter "until=$when"
		is "$output" "Total reclaimed space: 0B"
	done
	run stave image prune -af --filter "until=$(date -d tomorrow +%Y-%m-%d)"
	has "$output" "untagged: a:latest"
}

@test "container prune takes what has ended and leaves what runs" {
	stave run --network none busybox true
	stave run --network none busybox sh -c 'head -c 500000 /dev/urandom > /x'
	stave run --rm --network none busybox sleep "$MARK" &
	settled sh -c '[ "$(stave ps -q | wc -l)" = 1 ]'
	run stave container prune -f --filter until=24h
	is "$output" "Total reclaimed space: 0B"
	run stave container prune -f --filter label=no
	is "$output" "Total reclaimed space: 0B"
	run stave container prune -f
	has "${lines[0]}" "Deleted Containers:"
	is "$(grep -cxE '[0-9a-f]{64}' <<<"$output")" 2
	has "$output" "kB"
	is "$(stave ps -q | wc -l)" 1
	stave rm -f "$(stave ps -q)"
	wait
}

@test "system prune: everything that nothing uses, and the sum" {
	three_steps
	stave tag t second
	stave run --network none busybox true
	run stave system prune -f --volumes --filter until=24h
	ended 1
	has "$output" 'The "until" filter is not supported with "--volumes"'
	run stave system prune -f --filter label=nosuch
	is "$output" "Total reclaimed space: 0B"
	is "$(stave builder du --format x --filter type=regular | wc -l)" 3
	run stave system prune -f
	has "$output" "Deleted Containers:"
	hasnt "$output" "untagged"
	run stave system prune -af
	has "$output" "Deleted Images:"
	has "$output" "untagged: second:latest"
	has "$output" "Deleted build cache objects:"
	has "${lines[-1]}" "MB"
	is "$(stave images -q | wc -l)" 0
	# but for the megabyte that a full disk is helped with
	[ "$(disk)" -lt 1500000 ]
	store_is_clean
}

@test "downloads and checkouts are entries like others" {
	mkdir -p "$STAVE_ROOT"/cache/{http,git/c0ffee/tree}
	head -c 700000 /dev/urandom >"$STAVE_ROOT/cache/http/body-1"
	head -c 900000 /dev/urandom >"$STAVE_ROOT/cache/git/c0ffee/tree/file"
	touch -d '1 hour ago' "$STAVE_ROOT/cache/http/body-1"
	is "$(df_bytes total)" "$(disk)"
	run stave builder du --filter type=source.http --format '{{.Description}}'
	is "$output" http/body-1
	run stave builder prune -f --max-used-space 1mb
	has "$output" "Total:	7"
	[ "$(cache_bytes)" -le 1048576 ]
	run stave builder prune -af --filter type=source.git.checkout
	has "$output" "Total:	9"
	[ ! -e "$STAVE_ROOT/cache/git/c0ffee" ]
	is "$(df_bytes total)" "$(disk)"
	store_is_clean
}
