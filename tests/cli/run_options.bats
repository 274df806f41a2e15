# SPDX-License-Identifier: Apache-2.0
# Options of run and create that limit, share and protect: what they do to the kernel.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
}

sh_in() { stave run --rm --network none "$@"; }

# Docker's way of saying that an option is wrong: the message, the usage, and 125.
refused() {
	run stave run --rm --network none "${@:2}" busybox true
	ended 125
	has "$output" "$1"
}

# A file of the container's own cgroup; skips where the kernel has it not.
cgroup_file() {
	local version
	version=$(stave info --format '{{.CgroupVersion}}')
	[ "$version" = 1 ] || skip "these files are those of cgroups version 1"
	[ -e "/sys/fs/cgroup/$1" ] || skip "this kernel has no $1"
}

@test "limits of block devices are in the container's group" {
	cgroup_file blkio/blkio.throttle.read_bps_device
	[ -b /dev/loop0 ] || skip "there is no /dev/loop0"
	run sh_in --device-read-bps /dev/loop0:1mb --device-write-bps /dev/loop0:2048 \
		--device-read-iops /dev/loop0:30 --device-write-iops /dev/loop0:40 busybox \
		sh -c 'cd /sys/fs/cgroup/blkio && cat blkio.throttle.*_device'
	ended 0
	is "$(tr '\n' ' ' <<<"$output")" "7:0 1048576 7:0 30 7:0 2048 7:0 40 "
	nothing_left
}

@test "--blkio-weight, --memory-swappiness, --oom-kill-disable, --cpu-rt-period" {
	cgroup_file memory/memory.swappiness
	run sh_in --memory 20m --memory-swappiness 7 --oom-kill-disable busybox \
		sh -c 'cd /sys/fs/cgroup/memory && cat memory.swappiness && grep disable memory.oom_control'
	ended 0
	is "$output" $'7\noom_kill_disable 1'
	run sh_in --oom-kill-disable busybox true
	ended 0
	has "$output" "WARNING: OOM killer is disabled for the container, but no memory limit is set"
	if [ -e /sys/fs/cgroup/cpu/cpu.rt_period_us ]; then
		is "$(sh_in --cpu-rt-period 2000 busybox cat /sys/fs/cgroup/cpu/cpu.rt_period_us)" 2000
		refused "cpu real-time runtime cannot be higher" --cpu-rt-period 1000 --cpu-rt-runtime 2000
	fi
	if [ -e /sys/fs/cgroup/blkio/blkio.bfq.io_serviced ]; then
		is "$(sh_in --blkio-weight 300 busybox cat /sys/fs/cgroup/blkio/blkio.bfq.weight)" 300
		refused "Range of blkio weight is from 10 to 1000" --blkio-weight 5
	fi
	nothing_left
}

@test "what is wrong with a limit is said before anything is made" {
	refused 'invalid argument "vda:1m" for "--device-read-bps" flag: bad format for device path: vda:1m' \
		--device-read-bps vda:1m
	has "$output" "Usage:  stave run"
	refused 'invalid weight for device: /dev/x:5' --blkio-weight-device /dev/x:5
	refused 'Number must be a positive integer' --device-write-iops /dev/x:-1
	refused 'stat /dev/nope: no such file or directory' --device-read-iops /dev/nope:1
	refused "invalid device cgroup format 'c 1:3'" --device-cgroup-rule 'c 1:3'
	refused 'Valid memory swappiness range is 0-100' --memory-swappiness 500
	refused 'Requested CPUs are not available - requested 4095, available:' --cpuset-cpus 4095
	refused 'Invalid value 2-1 for cpuset cpus: invalid format: 2-1' --cpuset-cpus 2-1
	refused 'Requested memory nodes are not available' --cpuset-mems 63
	refused 'CPU cfs period can not be less than 1ms' --cpu-period 1
	refused 'CPU cfs quota can not be less than 1ms' --cpu-quota 1
	refused "sysctl 'kernel.panic=1' is not allowed" --sysctl kernel.panic=1
	refused 'invalid signal: NOPE' --stop-signal NOPE
	run stave create --memory 1m busybox true
	ended 1
	has "$output" "Minimum memory limit allowed is 6MB"
	is "$(stave ps -aq)" ""
}

@test "--device, a directory of them, --device-cgroup-rule" {
	[ -b /dev/loop0 ] || skip "there is no /dev/loop0"
	run sh_in --device /dev/loop0:/dev/mine:r busybox sh -c ': </dev/mine && echo read; : >/dev/mine'
	has "$output" read
	has "$output" "can't create /dev/mine: Operation not permitted"
	mkdir -p "$ctx/dev/sub"
	mknod "$ctx/dev/sub/node" c 1 5
	is "$(sh_in --device "$ctx/dev:/dev/all" busybox sh -c 'ls /dev/all/sub; head -c 3 /dev/all/sub/node | wc -c')" $'node\n3'
	run sh_in busybox sh -c 'mknod /node c 1 11; echo >/node'
	has "$output" "Operation not permitted"
	run sh_in --device-cgroup-rule 'c 1:11 rw' busybox sh -c 'mknod /node c 1 11; : >/node && echo open'
	has "$output" open
	run sh_in --device-cgroup-rule 'a 1:11 rw' busybox sh -c 'mknod /node b 7 0; : </node'
	has "$output" "Operation not permitted"
	refused 'custom device "/dev/nope": no such file or directory' --device /dev/nope
	refused 'custom device "/etc": not a device node' --device /etc
	refused 'bad mode specified: q' --device /dev/null:/x:q
	nothing_left
}

@test "--privileged: all devices of this machine, to be used" {
	local node missing=
	run sh_in --privileged busybox sh -c 'cd /dev && find . -type b -o -type c'
	ended 0
	for node in $(cd /dev && find . -maxdepth 1 -type b -o -maxdepth 1 -type c); do
		[[ $'\n'$output$'\n' == *$'\n'$node$'\n'* ]] || [ "$node" = ./console ] || [ "$node" = ./ptmx ] || missing+=" $node"
	done
	is "$missing" ""
	hasnt "$(sh_in busybox ls /dev)" loop
	nothing_left
}

@test "CDI: nodes, mounts, variables; --gpus" {
	[ ! -e /var/run/cdi ] || skip "this machine has CDI specifications"
	unshare -m true 2>/dev/null || skip "needs a mount name space"
	cat >"$ctx/x.json" <<-'END'
	{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
	 "containerEdits": {"env": ["ALL=yes"], "mounts": [{"hostPath": "/etc/passwd",
	   "containerPath": "/opt/host", "options": ["ro", "nosuid"]}]},
	 "devices": [
	  {"name": "0", "containerEdits": {"env": ["WHICH=0"], "deviceNodes": [
	    {"path": "/dev/gpu0", "hostPath": "/dev/full", "permissions": "r"}]}},
	  {"name": "all", "containerEdits": {"env": ["WHICH=all"]}}]}
	END
	with_cdi() {
		unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/cdi && cp "$0" /run/cdi && exec "$@"' \
			"$ctx/x.json" stave run --rm --network none "$@"
	}
	run with_cdi --device nvidia.com/gpu=0 busybox sh -c 'echo $ALL $WHICH; head -c 4 /dev/gpu0 | wc -c; grep -c root: /opt/host; : >/opt/host'
	has "$output" $'yes 0\n4\n1'
	has "$output" "Read-only file system"
	is "$(with_cdi --gpus all busybox sh -c 'echo $WHICH')" all
	is "$(with_cdi --gpus 1 busybox sh -c 'echo $WHICH')" 0
	is "$(with_cdi --gpus device=0 busybox sh -c 'echo $WHICH')" 0
	run with_cdi --device nvidia.com/gpu=7 busybox true
	ended 125
	has "$output" "unresolvable CDI devices nvidia.com/gpu=7"
	[ -e /etc/cdi ] || refused 'could not select device driver "" with capabilities: [[gpu]]' --gpus all
	refused "unexpected key 'foo' in 'foo=1'" --gpus foo=1
	refused 'invalid count (x)' --gpus x
}

# What NVIDIA's specifications have: YAML, and hooks that work on the root from the bundle's config.json.
@test "CDI: hooks, from a specification in YAML; those that fail" {
	[ ! -e /var/run/cdi ] || skip "this machine has CDI specifications"
	unshare -m true 2>/dev/null || skip "needs a mount name space"
	cat >"$ctx/hook" <<-'END'
	#!/bin/sh
	state=$(cat)
	[ "$(env | grep -cv -e ^PWD= -e ^_= -e ^SHLVL=)" = "${WORDS:-0}" ] || echo "unclean: $(env)" >>"$0.log"
	PATH=/usr/bin:/bin
	bundle=$(printf %s "$state" | jq -r .bundle)
	root=$(jq -r .root.path "$bundle/config.json")
	case $root in /*) ;; *) root=$bundle/$root ;; esac
	echo "$1 $(printf %s "$state" | jq -r '.status, ((.pid // 0) > 1), .annotations.a' | xargs)" >>"$0.log"
	[ "$1" != createContainer ] || { mount -t tmpfs none "$root/tmp" && echo "$2" >"$root/tmp/f" && ln -s f "$root/tmp/l"; }
	END
	chmod +x "$ctx/hook"
	cat >"$ctx/x.yaml" <<-END
	cdiVersion: "0.6.0"
	kind: example.com/dev
	containerEdits:
	  env: [ALL=yes]
	  hooks:
	  - {hookName: createRuntime, path: $ctx/hook, args: [hook, createRuntime]}
	  - {hookName: poststop, path: $ctx/hook, args: [hook, poststop]}
	devices:
	- name: "0"
	  containerEdits:
	    deviceNodes:
	    - path: /dev/one
	      hostPath: /dev/full
	      permissions: r
	    hooks:
	    - hookName: createContainer
	      path: $ctx/hook
	      args: ["hook", "createContainer", "two words"]
	      env:
	      - WORDS=1
	    - {hookName: startContainer, path: /bin/sh, args: [sh, -c, "cat >/tmp/state; id -u >/tmp/user"]}
	    - {hookName: poststart, path: $ctx/hook, args: [hook, poststart]}
	- name: fails
	  containerEdits:
	    hooks: [{hookName: createContainer, path: /bin/sh, args: [sh, -c, echo no good; exit 3]}]
	- name: slow
	  containerEdits:
	    hooks: [{hookName: createRuntime, path: /bin/sleep, args: [sleep, "100"], timeout: 1}]
	- name: absent
	  containerEdits:
	    hooks: [{hookName: createRuntime, path: /no/such/hook}]
	- name: unknown
	  containerEdits:
	    hooks: [{hookName: never, path: /bin/true}]
	END
	with_cdi() {
		unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/cdi && cp "$0" /run/cdi && exec "$@"' \
			"$ctx/x.yaml" stave run --network none --annotation a=b "$@"
	}
	local other
	for other in "" crun; do
		[ -z "$other" ] || command -v "$other" >/dev/null || continue
		run with_cdi --rm ${other:+--runtime $other} --device example.com/dev=0 busybox sh -c \
			'echo $ALL; cat /tmp/l; ls -l /dev/one | cut -c1; cat /tmp/user'
		ended 0
		is "$output" $'yes\ntwo words\nc\n0'
	done
	rm "$ctx/hook.log"
	with_cdi -d --name hooked --device example.com/dev=0 busybox sleep "$MARK" >/dev/null
	is "$(stave exec hooked cat /tmp/f)" "two words"
	stave rm -f hooked >/dev/null
	is "$(<"$ctx/hook.log")" $'createRuntime creating true b\ncreateContainer creating false b\npoststart running true b\npoststop stopped false b'
	failed() {
		run with_cdi --rm --device "example.com/dev=$1" busybox true
		ended 125
		has "$output" "$2"
	}
	failed fails "createContainer: the hook /bin/sh failed with 3: no good"
	is "$(tail -1 "$ctx/hook.log")" "poststop stopped false b"
	failed slow "the hook /bin/sleep took more than 1 seconds"
	failed absent "the hook /no/such/hook"
	failed unknown 'CDI device injection failed: example.com/dev=unknown: invalid hook name "never"'
	nothing_left
}

@test "--security-opt" {
	sh_in --security-opt systempaths=unconfined busybox sh -c '! grep -q " /proc/" /proc/mounts'
	sh_in busybox grep -q " /proc/" /proc/mounts
	refused 'invalid --security-opt 2: "systempaths=x"' --security-opt systempaths=x
	refused 'invalid --security-opt 2: "what=x"' --security-opt what=x
	refused 'Invalid --security-opt: "what"' --security-opt what
	sh_in --security-opt label=disable busybox true
	if [ ! -e /sys/kernel/security/apparmor ]; then
		sh_in --security-opt apparmor=docker-default busybox true
	fi
	if [ -d /sys/fs/cgroup/memory ]; then
		run sh_in -m 20m busybox mkdir /sys/fs/cgroup/memory/x
		has "$output" "Read-only"
		sh_in -m 20m --security-opt writable-cgroups=true busybox mkdir /sys/fs/cgroup/memory/x
	fi
	stave create --name so --network none --security-opt apparmor=one --security-opt label=disable busybox true >/dev/null
	is "$(stave inspect --format '{{json .HostConfig.SecurityOpt}} {{.AppArmorProfile}}' so)" '["apparmor=one","label=disable"] one'
	stave rm so
	nothing_left
}

@test "--ipc none and host, --group-add, --volume-driver, --storage-opt, --isolation" {
	sh_in --ipc none busybox sh -c '! grep -q /dev/shm /proc/mounts'
	is "$(sh_in --ipc host busybox sh -c 'stat -c %d /dev/shm')" "$(stat -c %d /dev/shm)"
	is "$(sh_in --group-add staff --group-add 77 busybox id -G)" "0 50 77"
	refused 'unable to find group nosuch: no matching entries in group file' --group-add nosuch
	refused 'error looking up volume plugin other: plugin "other" not found' --volume-driver other -v name:/x
	sh_in --volume-driver local -v "$ctx:/x" busybox true
	refused "--storage-opt is supported only for overlay over xfs with 'pquota' mount option" --storage-opt size=1G
	refused 'Unknown option dm.x' --storage-opt dm.x=1
	refused "invalid isolation (hyperv): linux only supports 'default'" --isolation hyperv
	sh_in --isolation default --kernel-memory 8m --disable-content-trust busybox true
	refused "conflicting options: hostname and the UTS mode" --uts host --hostname x
	nothing_left
}

@test "--ipc and --pid of another container" {
	stave run -d --name donor --network none --ipc shareable busybox sleep "$MARK" >/dev/null
	stave run -d --name own --network none busybox sleep "$MARK" >/dev/null
	is "$(sh_in --ipc container:donor busybox readlink /proc/self/ns/ipc)" "$(stave exec donor readlink /proc/1/ns/ipc)"
	# what one writes into /dev/shm the other reads, which has the first one's size
	stave run -d --name joins --network none --ipc container:donor --shm-size 1m busybox sleep "$MARK" >/dev/null
	stave exec donor sh -c 'echo theirs >/dev/shm/f'
	is "$(stave exec joins cat /dev/shm/f)" theirs
	stave exec joins sh -c 'echo ours >/dev/shm/g'
	is "$(stave exec donor cat /dev/shm/g)" ours
	has "$(stave exec joins grep /dev/shm /proc/mounts)" size=65536k
	is "$(sh_in --ipc container:joins busybox cat /dev/shm/f)" theirs
	is "$(sh_in --ipc container:donor --tmpfs /dev/shm busybox ls /dev/shm)" ""
	for other in crun runc; do
		command -v $other >/dev/null || continue
		is "$(sh_in --ipc container:donor --runtime $other busybox cat /dev/shm/f)" theirs
	done
	has "$(sh_in --pid container:donor busybox ps)" "sleep $MARK"
	refused "non-shareable IPC (hint: use IpcMode:shareable for the donor container)" --ipc container:own
	refused "No such container: nosuch" --pid container:nosuch
	stave stop -t 0 own >/dev/null
	refused "failed to join PID namespace: container $(stave inspect --format '{{.Id}}' own) is not running" --pid container:own
	stave rm -f donor >/dev/null
	is "$(stave exec joins cat /dev/shm/g)" ours
	stave rm -f joins own >/dev/null
	nothing_left
}
