# SPDX-License-Identifier: Apache-2.0
#
# Containers that take all they can get: their limits hold them, the machine
# stays usable, and each of them can be stopped and removed.

load common
load containers

pids_of() { stave top "$1" -eo pid 2>/dev/null | tail -n +2 | wc -l; }

# A command that must not hang: a tenth of this is enough.
soon() { timeout $((30 * ${SLOW:-1})) "$@"; }

@test "memory: the kernel kills, ps and inspect say so, others go on" {
	detach --name other busybox sleep "$MARK"
	detach --name eats --memory 16m busybox sh -c 'x=x; while :; do x=$x$x; done'
	settled is_state eats "exited 137"
	is "$(stave inspect --format '{{.State.OOMKilled}}' eats)" true
	is "$(stave inspect --format '{{.State.OOMKilled}}' other)" false
	is "$(state other)" "running 0"
	# what is not the first process dies alone
	detach --name child --memory 16m busybox sh -c 'sh -c "x=x; while :; do x=\$x\$x; done"; echo "code $?"; exit 3'
	settled is_state child "exited 3"
	is "$(stave logs child 2>/dev/null)" "code 137"
	# files of a tmpfs count as memory
	run stave run --rm --network none --memory 16m --tmpfs /t:size=1g busybox dd if=/dev/zero of=/t/big bs=1M count=64
	differ "$status" 0
	stave rm -f other eats child
	nothing_left
}

@test "processes: a fork bomb has its limit and goes with its container" {
	detach --name bomb --pids-limit 40 busybox sh -c \
		'(while :; do sleep 1000 & done) & exec sleep '"$MARK"
	settled eval '[ "$(pids_of bomb)" -ge 30 ]'
	[ "$(pids_of bomb)" -le 40 ]
	is "$(state bomb)" "running 0"
	soon stave exec bomb true || true
	is "$(soon stave stop -t 1 bomb)" bomb
	is "$(pids_of bomb)" 0
	soon stave start bomb
	is "$(soon stave rm -f bomb)" bomb
	nothing_left
}

@test "tmpfs and /dev/shm have their sizes" {
	detach --name fills --tmpfs /t:size=1m --shm-size 2m busybox sh -c \
		'for d in /t /dev/shm /dev; do dd if=/dev/zero of=$d/big bs=64k; wc -c <$d/big; done 2>/dev/null; sleep '"$MARK"
	settled eval '[ "$(stave logs fills | wc -l)" = 3 ]'
	is "$(stave logs fills | tr '\n' ' ')" "1048576 2097152 67108864 "
	is "$(soon stave rm -f fills)" fills
}

@test "a log without end: files of their size, a small monitor, and it can be read" {
	local dir monitor
	detach --name talks --log-opt max-size=100k --log-opt max-file=2 busybox \
		sh -c 'while :; do echo "a line that says nothing much"; done'
	dir=$(dirname "$(stave inspect --format '{{.LogPath}}' talks)")
	settled test -e "$dir/log.json.1"
	is "$(stave logs --tail 1 talks)" "a line that says nothing much"
	soon sh -c 'stave logs -f talks | head -n 2000 | wc -l' >"$ctx/lines"
	is "$(cat "$ctx/lines")" 2000
	[ "$(cat "$dir"/log.json* | wc -c)" -le 240000 ]
	monitor=$(jq -r .monitor "$dir/state.json")
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$monitor/status")" -lt 16384 ]
	is "$(soon stave stop -t 0 talks)" talks
	is "$(soon stave rm talks)" talks
	# one line without an end
	detach --name drones --log-opt max-size=100k busybox sh -c 'tr "\0" x </dev/zero'
	dir=$(dirname "$(stave inspect --format '{{.LogPath}}' drones)")
	settled test -s "$dir/log.json"
	sleep 0.5
	monitor=$(jq -r .monitor "$dir/state.json")
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$monitor/status")" -lt 16384 ]
	[ "$(cat "$dir"/log.json* | wc -c)" -le 140000 ]
	is "$(soon stave rm -f drones)" drones
	nothing_left
}

@test "a reader that sleeps holds up the container, not the machine" {
	stave run -d --network none --name fast busybox sh -c 'sleep 0.3; yes' >/dev/null
	mkfifo "$ctx/pipe"
	sleep "$MARK" <"$ctx/pipe" &
	local reader=$!
	stave attach --no-stdin fast >"$ctx/pipe" 2>/dev/null &
	sleep 1
	is "$(state fast)" "running 0"
	is "$(soon stave rm -f fast)" fast
	kill "$reader"
	wait || true
	nothing_left
}

@test "a disk that is full: it can be stopped, started and removed" {
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -t tmpfs -o size=12m none "$BATS_TEST_TMPDIR/disk"
	full_disk
	local code=$?
	umount -l "$BATS_TEST_TMPDIR/disk"
	return $code
}

no_room() { [ "$(df --output=avail "$STAVE_ROOT" | tail -n 1 | tr -d ' ')" = 0 ]; }

full_disk() (
	set -e
	export STAVE_ROOT=$BATS_TEST_TMPDIR/disk/store
	import_base
	detach --name fills busybox sh -c 'cat /dev/zero >/big; echo full; while :; do echo more; sleep 0.1; done'
	settled no_room
	sleep 0.3 # the monitor may have given up the spare
	for _ in 1 2 3; do has "$(soon stave ps)" fills; done
	is "$(soon stave exec fills echo in)" in
	is "$(soon stave stop -t 1 fills)" fills
	is "$(state fills)" "exited 137"
	is "$(soon stave rm fills)" fills
	detach --name fills busybox sh -c "cat /dev/zero >/big; sleep $MARK"
	settled no_room
	is "$(soon stave rm -f fills)" fills
	is "$(stave ps -aq)" ""
	is "$(stave run --rm --network none busybox echo again)" again
	# what was kept for this moment is gone too, and there are traces of nobody
	detach --name fills busybox sh -c "sleep 0.5; cat /dev/zero >/big; sleep $MARK"
	local monitor
	monitor=$(jq -r .monitor "$STAVE_ROOT"/containers/*/state.json)
	settled no_room
	rm -f "$STAVE_ROOT/stave.db-spare"
	cat /dev/zero >"$STAVE_ROOT/../more" 2>/dev/null || true
	kill -9 "$monitor"
	is "$(soon stave rm -f fills)" fills
	is "$(stave ps -aq)" ""
	store_is_clean
)

@test "one that hears nothing, one that is stopped, one that is paused" {
	detach --name deaf busybox sh -c 'trap "" TERM INT HUP QUIT USR1; while :; do sleep 0.05; done'
	settled eval '[ "$(pids_of deaf)" -ge 1 ]'
	sleep 0.2
	is "$(soon stave stop -t 1 deaf)" deaf
	is "$(state deaf)" "exited 137"
	detach --name still busybox sleep "$MARK"
	kill -STOP "$(stave inspect --format '{{.State.Pid}}' still)"
	is "$(soon stave stop -t 1 still)" still
	is "$(state still)" "exited 137"
	detach --name cold busybox sleep "$MARK"
	stave pause cold
	is "$(soon stave rm -f cold)" cold
	detach --name cold busybox sleep "$MARK"
	stave pause cold
	# Docker stops it too, by waking it
	is "$(soon stave stop -t 1 cold)" cold
	has "$(state cold)" exited
	stave rm deaf still cold
	nothing_left
}

@test "limits that cannot be are said before anything starts" {
	local words
	while read -r words; do
		run stave run --name never --network none $words busybox true
		[ "$status" = 125 ] || {
			echo "$words: $status: $output"
			return 1
		}
		is "$words: $(stave ps -aq)" "$words: "
	done <<-'END'
	--memory 1m
	--memory 64m --memory-swap 32m
	--cpus 1000
	--cpu-shares -1
	--pids-limit x
	--ulimit nofile=20:10
	--ulimit nosuch=1
	--shm-size x
	--memory-reservation 1g --memory 64m
	END
}
