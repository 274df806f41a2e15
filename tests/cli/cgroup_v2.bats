# SPDX-License-Identifier: Apache-2.0
#
# What containers do to cgroups where these are version 2 alone, as on every machine with a
# systemd of our time.  On others the tests skip; tests/vm/run has such a machine.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || skip "cgroups are not version 2 alone"
	watch_machine
}

teardown() {
	am_root || return 0
	stave rm -f $(stave ps -aq) >/dev/null 2>&1 || true
}

detach() { stave run -d --network none "$@" >/dev/null; }

group() { echo "/sys/fs/cgroup/stave/$(stave inspect --format '{{.Id}}' "$1")"; }

# CONTAINER FILE…: what they say, in one line
says() { (cd "$(group "$1")" && cat "${@:2}") | tr '\n' ' '; }

@test "limits are in the container's group, and update changes them" {
	detach --name few --memory 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 \
		--cpuset-cpus 0 --pids-limit 40 --kernel-memory 32m busybox sleep "$MARK"
	is "$(says few memory.max memory.swap.max memory.low pids.max)" "67108864 33554432 33554432 40 "
	is "$(says few cpu.max cpu.weight cpuset.cpus memory.oom.group)" "50000 100000 59 0 0 "
	stave update --memory 128m --memory-swap -1 --cpus 0.25 --cpu-shares 2048 --pids-limit -1 few
	is "$(says few memory.max memory.swap.max pids.max cpu.max cpu.weight)" "134217728 max max 25000 100000 174 "
	# one that had none
	detach --name none busybox sleep "$MARK"
	stave update --memory 32m --pids-limit 20 none
	is "$(says none memory.max pids.max)" "33554432 20 "
	is "$(stave exec none cat /sys/fs/cgroup/memory.max)" 33554432
	stave rm -f few none
	nothing_left
}

@test "memory and swap: twice, none, as much as there is" {
	local words
	for words in "67108864:" "0:--memory-swap=64m" "max:--memory-swap=-1"; do
		is "$(stave run --rm --network none --memory 64m ${words#*:} busybox cat /sys/fs/cgroup/memory.swap.max)" "${words%%:*}"
	done
}

@test "what version 2 has not is said, and left out" {
	run stave run --rm --network none --memory 32m --memory-swappiness 7 --oom-kill-disable busybox echo in
	ended 0
	has "$output" "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded."
	has "$output" "Your kernel does not support OomKillDisable. OomKillDisable discarded."
	has "$output" in
	run stave run --rm --network none --cpu-rt-period 2000 busybox true
	ended 125
	has "$output" "kernel does not support CPU real-time scheduler"
}

@test "block devices: io.max and io.weight" {
	[ -b /dev/vda ] || skip "there is no /dev/vda"
	run stave run --rm --network none --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:40 \
		--blkio-weight 500 busybox sh -c 'cd /sys/fs/cgroup; cat io.max; cat io.bfq.weight 2>/dev/null || cat io.weight'
	ended 0
	has "$output" "rbps=1048576 wbps=max riops=max wiops=40"
	[[ $output == *"default 500"* || $output == *"default 4950"* ]]
}

@test "pause is the group's freezer" {
	detach --name cold busybox sh -c 'while :; do sleep 0.1; done'
	stave pause cold
	is "$(says cold cgroup.freeze)" "1 "
	has "$(says cold cgroup.events)" "frozen 1"
	run stave exec cold true
	ended 1
	has "$output" paused
	stave unpause cold
	is "$(says cold cgroup.freeze)" "0 "
	stave exec cold true
	stave rm -f cold
	nothing_left
}

@test "a container with groups of its own keeps them: pause, update, exec" {
	local inner
	# what systemd does in its container
	detach --name sys --privileged --memory 64m busybox sh -c 'cd /sys/fs/cgroup && mkdir inner &&
		echo 1 >inner/cgroup.procs && echo +memory >cgroup.subtree_control && echo ready; sleep '"$MARK"
	settled eval '[ "$(stave logs sys)" = ready ]'
	inner=$(group sys)/inner
	stave pause sys
	is "$(says sys cgroup.freeze)" "1 "
	stave unpause sys
	stave update --memory 32m --memory-swap 64m sys
	is "$(says sys memory.max)" "33554432 "
	is "$(stave exec sys cat /proc/self/cgroup)" 0::/inner
	is "$(sort "$inner/cgroup.procs")" "$(stave top sys -eo pid | tail -n +2 | tr -d ' ' | sort)"
	stave rm -f sys
	nothing_left
}

@test "a group of one's own for those who may write to it; what they make there goes" {
	local words mine
	mine=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
	for words in --privileged "--security-opt writable-cgroups=true"; do
		run stave run --rm --network none $words busybox sh -c \
			'cat /proc/self/cgroup; mkdir -p /sys/fs/cgroup/made/there && ls -d /sys/fs/cgroup/made; cat /sys/fs/cgroup/cgroup.procs | wc -l'
		ended 0
		is "$output" $'0::/\n/sys/fs/cgroup/made\n3'
		[ ! -e "$mine/made" ]
	done
	nothing_left
	dockerfile <<-'END'
		# syntax=docker/dockerfile:1-labs
		FROM busybox
		RUN --security=insecure mkdir /sys/fs/cgroup/made
	END
	build --allow security.insecure
	[ ! -e "$mine/made" ]
	nothing_left
}

@test "--cgroupns host shows the host's groups and leaves its mount alone" {
	local before
	before=$(grep cgroup2 /proc/self/mounts)
	run stave run --rm --network none --cgroupns host busybox sh -c \
		'ls -d /sys/fs/cgroup/*.slice; mkdir /sys/fs/cgroup/x; grep " /sys/fs/cgroup " /proc/mounts'
	has "$output" system.slice
	has "$output" "Read-only file system"
	has "$output" " ro,"
	is "$(grep cgroup2 /proc/self/mounts)" "$before"
	run stave run --rm --network none --privileged --cgroupns host busybox sh -c \
		'mkdir /sys/fs/cgroup/stave-test-x && rmdir /sys/fs/cgroup/stave-test-x && echo may'
	is "$output" may
	is "$(grep cgroup2 /proc/self/mounts)" "$before"
	nothing_left
}

# MODE COMMANDS: as in a container of a CI, where everybody is in the root group of a cgroup name
# space; it has the controllers of $control.
inside() {
	local group=/sys/fs/cgroup/stave-test-inside
	mkdir -p "$group/root"
	for one in ${control-memory pids cpu cpuset}; do echo "+$one" >"$group/cgroup.subtree_control"; done
	run env GROUP="$group/root" unshare -m sh -c '
		echo $$ >$GROUP/cgroup.procs
		exec unshare -C sh -c "umount -l /sys/fs/cgroup && mount -t cgroup2 -o $1 none /sys/fs/cgroup && $2"' sh "$@"
	# what moves its processes leaves groups there
	settled find "$group" -depth -type d -exec rmdir {} +
}

@test "inside a container: limits, although there are processes in the root group" {
	inside rw 'stave run --rm --network none --memory 32m busybox cat /sys/fs/cgroup/memory.max
		stave run --rm --network none --pids-limit 30 busybox cat /sys/fs/cgroup/pids.max
		cat /proc/self/cgroup'
	ended 0
	is "$output" $'33554432\n30\n0::/init'
}

@test "inside a container whose cgroups are read-only: without limits all is well" {
	inside ro 'stave run -d --name free --network none busybox sleep 1000 >/dev/null
		stave exec free echo in; stave stop -t 0 free; stave rm free
		stave run --rm --network none --privileged busybox echo privileged
		stave run --rm --network none --memory 32m busybox true'
	ended 125
	has "$output" $'in\nfree\nfree\nprivileged\n'
	has "$output" "ead-only file system"
}

@test "inside a container without controllers: limits are discarded, in words" {
	control=pids inside rw 'stave run --rm --network none --memory 32m --memory-reservation 16m --cpu-shares 10 \
		--cpu-quota 5000 --cpuset-cpus 0 --pids-limit 30 busybox cat /sys/fs/cgroup/pids.max
		stave run --rm --network none --cpus 1 busybox true'
	ended 125
	has "$output" $'\n30\n'
	has "$output" "WARNING: Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded."
	has "$output" "memory soft limit capabilities"
	has "$output" "CPU shares or the cgroup is not mounted. Shares discarded."
	has "$output" "CPU CFS scheduler. CPU period/quota discarded."
	has "$output" "cpuset or the cgroup is not mounted. Cpuset discarded."
	has "$output" "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
	hasnt "$output" PIDs
}
