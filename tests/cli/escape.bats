# SPDX-License-Identifier: Apache-2.0
#
# What a container must not be able to do: each way out that was one somewhere,
# tried from inside (probe.c).  Where Docker is, what it allows is the measure.

load common
bats_require_minimum_version 1.5.0

setup_file() {
	private_store
	am_root || return 0
	mkdir "$BATS_FILE_TMPDIR/probe"
	gcc -O1 -static -o "$BATS_FILE_TMPDIR/probe/probe" "$BATS_TEST_DIRNAME/probe.c"
	printf 'FROM busybox\nCOPY probe /bin/probe\n' |
		stave build -q -t guest -f - "$BATS_FILE_TMPDIR/probe" >/dev/null
}

setup() {
	common_setup
	watch_machine
	canary=$BATS_TEST_TMPDIR/canary
	mkdir "$canary"
	echo untouched >"$canary/file"
}

teardown() {
	am_root || return 0
	stave rm -f -v $(stave ps -aq) >/dev/null 2>&1 || true
	[ -z "$(jobs -p)" ] || kill $(jobs -p) 2>/dev/null || true
	is "$(ls "$canary")" file
	is "$(cat "$canary/file")" untouched
}

guest() { stave run --rm --network none "$@"; }

# "!" is no assertion.
refused() {
	if "$@" >"$BATS_TEST_TMPDIR/said" 2>&1; then
		printf 'worked: %s\n' "$*"
		return 1
	fi
}

detach() { stave run -d --network none "$@" >/dev/null; }

# What a process has: 5 sets of capabilities, and whether a filter.
rights='grep -e ^Cap -e ^Seccomp: /proc/self/status'

has_rights() {
	local prm=$1 bnd=$2 filter=$3
	shift 3
	is "$(grep -oE '^(Cap(Inh|Prm|Eff|Bnd|Amb)|Seccomp):[[:space:]]*[0-9a-f]+' <<<"$*" | tr -s '\t ' ' ' | tr '\n' ' ')" \
		"CapInh: 0000000000000000 CapPrm: $prm CapEff: $prm CapBnd: $bnd CapAmb: 0000000000000000 Seccomp: $filter "
}

@test "capabilities and filter: run, exec, RUN, with a user, privileged" {
	local docker=00000000a80425fb none=0000000000000000 all
	all=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
	has_rights $docker $docker 2 "$(guest guest $rights)"
	has_rights $none $docker 2 "$(guest --user 1000 guest $rights)"
	has_rights $none $docker 2 "$(guest --user app guest $rights)"
	has_rights $none $none 2 "$(guest --cap-drop ALL guest $rights)"
	has_rights $none 00000000a80435fb 2 "$(guest --cap-add NET_ADMIN --user 1000 guest $rights)"
	has_rights "$all" "$all" 0 "$(guest --privileged guest $rights)"
	has_rights $none "$all" 0 "$(guest --privileged --user 1000 guest $rights)"
	detach --name xx --health-cmd "$rights" --health-interval 100ms guest sleep "$MARK"
	has_rights $docker $docker 2 "$(stave exec xx $rights)"
	has_rights $none $docker 2 "$(stave exec -u 1000 xx $rights)"
	has_rights "$all" "$all" 2 "$(stave exec --privileged xx $rights)"
	settled eval '[ "$(stave inspect --format "{{len .State.Health.Log}}" xx)" != 0 ]'
	has_rights $docker $docker 2 \
		"$(stave inspect --format '{{(index .State.Health.Log 0).Output}}' xx)"
	printf 'FROM guest\nRUN %s\nUSER app\nRUN %s\n' "$rights >/root/r" "$rights >/tmp/u" >"$ctx/Dockerfile"
	build
	has_rights $docker $docker 2 "$(in_t cat /root/r 2>&1 || stave run --rm -u 0 --network none t cat /root/r)"
	has_rights $none $docker 2 "$(in_t cat /tmp/u)"
	# no groups of ours, and those of the image
	is "$(guest guest sh -c 'id -G')" 0
	is "$(guest --user app guest id -G)" "1000 50"
}

@test "descriptors: 0, 1 and 2 in run, exec, RUN and health checks, whatever we have" {
	exec 7</etc/passwd 9</ 8<"$STAVE"
	is "$(guest guest probe fds)" "0 1 2 "
	is "$(guest --init guest probe fds)" "0 1 2 "
	detach --name xx --health-cmd 'probe fds' --health-interval 100ms guest sh -c "probe fds; sleep $MARK"
	settled eval '[ "$(stave logs xx)" = "0 1 2 " ]'
	is "$(stave exec xx probe fds)" "0 1 2 "
	is "$(stave exec -i xx probe fds </dev/null)" "0 1 2 "
	settled eval '[ "$(stave inspect --format "{{len .State.Health.Log}}" xx)" != 0 ]'
	is "$(stave inspect --format '{{(index .State.Health.Log 0).Output}}' xx)" "0 1 2 "
	printf 'FROM guest\nRUN probe fds >/fds\n' >"$ctx/Dockerfile"
	build
	is "$(in_t cat /fds)" "0 1 2 "
	exec 7<&- 9<&- 8<&-
}

@test "the working directory does not lead out through a descriptor (CVE-2024-21626)" {
	local n
	detach --name xx guest sleep "$MARK"
	for n in $(seq 3 40) 1000; do
		refused stave exec -w /proc/self/fd/$n xx true
		has "$(cat "$BATS_TEST_TMPDIR/said")" "chdir to cwd"
		# a link that the container made, where its working directory was
		stave exec xx ln -sfn /proc/self/fd/$n/../../.. /work
		refused stave exec -w /work xx true
		((n % 4)) || refused guest -w /proc/self/fd/$n guest true
	done
	printf 'FROM guest\nRUN ln -s /proc/self/fd/7 /work\nWORKDIR /work/deep\nRUN pwd\n' >"$ctx/Dockerfile"
	refused stave build "$ctx"
}

@test "a program is not found through a descriptor" {
	local n to
	detach --name xx guest sleep "$MARK"
	for n in $(seq 3 2 40); do
		for to in ../../../../../../../../bin/busybox ../bin/busybox bin/busybox; do
			refused stave exec xx "/proc/self/fd/$n/$to" pwd
			((n % 4)) || refused guest guest "/proc/self/fd/$n/$to" pwd
		done
	done
}

@test "our program is not theirs to overwrite (CVE-2019-5736)" {
	local copy=$BATS_TEST_TMPDIR/stave before i
	cp -L "$STAVE" "$copy"
	cp "$(dirname "$(readlink -f "$STAVE")")"/stave-unpack "$BATS_TEST_TMPDIR/" 2>/dev/null || true
	before=$(sha256sum "$copy")
	# the container was started by another file: of the copy nobody keeps a process
	detach --name xx --cap-add SYS_PTRACE guest sleep "$MARK"
	stave exec xx probe overwrite 4 >"$ctx/said" 3>&- &
	settled grep -q ready "$ctx/said"
	stave exec xx sh -c 'printf "#!/proc/self/exe\n" >/bad; chmod 755 /bad; ln -s /proc/self/exe /link'
	# it stays a while, so that it is found
	timeout 0.5 "$copy" exec xx /proc/self/exe events || true
	for i in $(seq 20); do
		"$copy" exec xx /proc/self/exe version || true
		"$copy" exec xx /bad || true
		"$copy" exec xx /link version || true
	done >/dev/null 2>&1
	wait
	hasnt "$(cat "$ctx/said")" OPENED
	has "$(cat "$ctx/said")" found
	has "$(cat "$ctx/said")" EROFS
	is "$(sha256sum "$copy")" "$before"
	# and as a first command, of a monitor or of a command that is its own
	for i in --rm -d; do
		stave exec xx probe overwrite 60 >"$ctx/said" 3>&- &
		settled grep -q ready "$ctx/said"
		"$copy" run $i --name yy --network none --pid container:xx guest \
			/proc/self/exe events >/dev/null 3>&- &
		settled grep -q found "$ctx/said"
		stave rm -f yy >/dev/null
		settled grep -q -e EROFS -e OPENED "$ctx/said"
		hasnt "$(cat "$ctx/said")" OPENED
		stave exec xx killall probe
		wait
		is "$(sha256sum "$copy")" "$before"
	done
	guest guest /proc/self/exe version >/dev/null || true
	printf 'FROM guest\nENTRYPOINT ["/proc/self/exe"]\n' >"$ctx/Dockerfile"
	build
	in_t version >/dev/null || true
	is "$(sha256sum "$copy")" "$before"
}

@test "system calls that a filter judges by their arguments" {
	guest guest probe arguments >"$ctx/got"
	local want
	while read -r want; do
		grep -qx -- "$want" "$ctx/got" || {
			printf 'wanted: %s\n' "$want"
			cat "$ctx/got"
			return 1
		}
	done <<-'END'
	personality 0 OK
	personality 0x8 OK
	personality 0x20000 OK
	personality 0x20008 OK
	personality 0xffffffff OK
	personality 0x40000 EPERM
	personality 0x400000 EPERM
	socket AF_UNIX OK
	socket AF_INET OK
	socket AF_ALG EPERM
	socket AF_VSOCK EPERM
	unshare user EPERM
	unshare mounts EPERM
	unshare cgroup EPERM
	clone user EPERM
	clone3 user ENOSYS
	setns EPERM
	mount EPERM
	umount EPERM
	fsopen EPERM
	open_tree EPERM
	pivot_root EPERM
	bpf EPERM
	perf_event_open EPERM
	userfaultfd EPERM
	io_uring_setup EPERM
	keyctl EPERM
	add_key EPERM
	request_key EPERM
	init_module EPERM
	kexec_load EPERM
	swapoff EPERM
	acct EPERM
	settimeofday EPERM
	syslog EPERM
	quotactl EPERM
	iopl EPERM
	ptrace OK
	chroot OK
	END
	is "$(guest guest probe shocker)" "open_by_handle_at EPERM"
}

@test "system calls that nobody in a container may do" {
	local name number
	guest guest probe calls >"$ctx/calls"
	echo '#include <sys/syscall.h>' | gcc -E -dM - | sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/\1 \2/p' >"$ctx/numbers"
	for name in acct add_key bpf create_module delete_module finit_module fsconfig fsmount fsopen \
		fspick get_kernel_syms init_module io_uring_enter io_uring_register io_uring_setup \
		ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mount \
		mount_setattr move_mount move_pages nfsservctl open_by_handle_at \
		open_tree perf_event_open pivot_root query_module quotactl quotactl_fd request_key \
		set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon \
		sysfs syslog umount2 unshare uselib userfaultfd ustat vhangup _sysctl; do
		number=$(sed -n "s/^$name //p" "$ctx/numbers")
		# not on this architecture, or not tried because of what it does
		[ -n "$number" ] && grep -q "^$number " "$ctx/calls" || continue
		case $(sed -n "s/^$number //p" "$ctx/calls") in
		EPERM | ENOSYS) ;;
		*)
			echo "$name ($number): $(sed -n "s/^$number //p" "$ctx/calls")"
			return 1
			;;
		esac
	done
	# and one that everybody may: the filter is no wall
	is "$(sed -n "s/^$(sed -n 's/^getpid //p' "$ctx/numbers") //p" "$ctx/calls")" OK
}

@test "what Docker denies is denied, and nothing that it allows is but by name" {
	docker info >/dev/null 2>&1 || skip "docker does not answer"
	local image=stave-escape-test what extra
	tar -C "$BATS_FILE_TMPDIR/base" -c . -C "$BATS_FILE_TMPDIR/probe" --transform='s,^probe$,bin/probe,' probe |
		docker import - $image >/dev/null
	for what in arguments calls devices shocker fds; do
		docker run --rm --network none $image probe $what >"$ctx/docker"
		guest guest probe $what >"$ctx/ours"
		# lines of ours that are not Docker's are of things denied here
		extra=$(grep -vxFf "$ctx/docker" "$ctx/ours" | grep -vE ' (EPERM|ENOSYS)$' || true)
		is "$what: $extra" "$what: "
		# and those are few: calls and devices newer or rarer than our tables
		[ "$(grep -cvxFf "$ctx/docker" "$ctx/ours")" -le 12 ]
	done
	# rights, as a table
	for what in "" "--user 1000" "--privileged" "--cap-drop ALL" "--cap-add SYS_ADMIN"; do
		is "$(guest $what guest $rights)" "$(docker run --rm --network none $what $image $rights)"
	done
	docker rmi -f $image >/dev/null
}

@test "devices: Docker's few, whatever is made with mknod" {
	run guest guest probe devices
	is "$(grep -c OK <<<"$output")" 5
	is "$(grep -E 'OK|ENXIO' <<<"$output" | cut -d' ' -f1,2 | tr '\n' ' ')" "c 1:3 c 1:5 c 1:7 c 1:8 c 1:9 c 5:0 "
	is "$(grep -vcE 'OK|ENXIO|EPERM' <<<"$output" || true)" 0
	detach --name xx guest sleep "$MARK"
	is "$(stave exec xx probe devices)" "$output"
	# /dev/core is there where /proc/kcore is
	is "$(guest guest ls /dev | grep -vx core | tr '\n' ' ')" "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
	run guest --privileged guest probe devices
	has "$output" "c 1:11  OK"
	has "$output" "c 10:229  OK"
}

@test "masked paths are empty, others read-only, and stay so" {
	local path
	for path in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/sched_debug; do
		[ -e "$path" ] || continue
		is "$path $(guest guest sh -c "cat $path | wc -c")" "$path 0"
	done
	for path in /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap /proc/asound; do
		[ -d "$path" ] || continue
		is "$path $(guest guest ls "$path")" "$path "
	done
	for path in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sysrq-trigger \
		/proc/irq/default_smp_affinity /proc/sys/vm/drop_caches /sys/kernel/uevent_helper \
		/proc/sys/fs/binfmt_misc/register /proc/bus/pci/00; do
		[ -e "$path" ] || continue
		run guest guest sh -c "echo x >$path"
		differ "$path $status" "$path 0"
	done
	run guest guest sh -c 'mkdir /sys/fs/cgroup/x || mkdir /sys/x'
	differ "$status" 0
	run guest guest mount -o remount,rw /sys
	differ "$status" 0
	run guest guest umount /proc/kcore
	differ "$status" 0
	# the mounts are the container's own: nothing of the host's tree is in its list
	# (until 6.15: but for the names of the container's own files)
	hasnt "$(guest guest cat /proc/self/mountinfo | grep -vE ' /etc/(hosts|hostname|resolv.conf) ')" "$STAVE_ROOT"
}

@test "what a container mounts, its host does not see, though all be shared" {
	local host=$BATS_TEST_TMPDIR/shared
	mkdir "$host"
	mount -t tmpfs -o size=64m none "$host"
	mount --make-shared "$host"
	STAVE_ROOT=$host/store mounts_inside
	local code=$?
	umount -l "$host"
	return $code
}

mounts_inside() (
	set -e
	import_base
	mkdir "$STAVE_ROOT/../bound"
	detach --name mounts --privileged -v data:/data -v "$STAVE_ROOT/../bound:/bound" busybox sh -c \
		'for d in /data /bound /etc; do mkdir -p $d/x && mount -t tmpfs none $d/x; done
		mount -t tmpfs none /proc/acpi; mount --bind /bin/busybox /etc/hosts && echo mounted; sleep '"$MARK"
	settled eval '[ "$(stave logs mounts 2>/dev/null)" = mounted ]'
	is "$(grep -c "$STAVE_ROOT/../bound\|$(dirname "$STAVE_ROOT")/" /proc/self/mountinfo || true)" 0
	hasnt "$(stave exec mounts cat /proc/self/mountinfo)" shared:
	stave rm -f -v mounts
)

@test "control groups: no release agent, no way into others" {
	run guest --cap-add SYS_ADMIN guest sh -c \
		'mkdir /cg; mount -t cgroup -o memory none /cg && mkdir /cg/x && echo 1 >/cg/x/notify_on_release && echo /evil >/cg/release_agent'
	differ "$status" 0
	run guest guest sh -c 'find /sys/fs/cgroup -name release_agent | while read -r f; do echo /evil >$f && echo WRITTEN; done'
	hasnt "$output" WRITTEN
	run guest guest sh -c 'for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 1 >$f && echo WRITTEN; done'
	hasnt "$output" WRITTEN
	is "$(guest guest sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u')" /
}

@test "name spaces are one's own" {
	local ns
	for ns in mnt pid net uts ipc cgroup; do
		differ "$(guest guest readlink /proc/self/ns/$ns)" "$(readlink /proc/self/ns/$ns)"
	done
	is "$(guest guest sh -c 'set -- /proc/[0-9]*; echo $#')" 1
	run guest guest sh -c 'kill -0 2000; ls /proc/1/root/etc/debian_version'
	differ "$status" 0
	# what it is called elsewhere does not matter to signals: there is no init of the host's
	run guest guest sh -c 'kill -9 1; kill -9 -1 2>&-; echo alive'
	is "$output" alive
}

# In container "racer" two names are exchanged without end: a directory and a link to the canary.
race() {
	detach --name racer "$@" guest sleep "$MARK"
	stave exec racer mkdir -p "$at/dir"
	stave exec racer ln -s "$canary" "$at/link"
	stave exec -d racer sh -c "probe swap $at/dir $at/link >/tmp/swap"
	settled stave exec racer grep -q ready /tmp/swap
}

@test "cp while names become links stays inside" {
	local i at=/r
	race
	echo mine >"$ctx/mine"
	mkdir "$ctx/tree" && echo mine >"$ctx/tree/file"
	for i in $(seq 40); do
		stave cp -q "$ctx/mine" racer:/r/dir/file || true
		stave cp -q "$ctx/tree/." racer:/r/link || true
		stave cp -q racer:/r/dir/file "$ctx/out" || true
		[ ! -e "$ctx/out" ] || is "$(cat "$ctx/out")" mine
	done 2>/dev/null
	is "$(cat "$canary/file")" untouched
}

@test "mounts and volumes while names become links stay inside" {
	local i at=/v
	echo outside >"$ctx/outside"
	race -v shared:/v
	for i in $(seq 15); do
		# destinations below what another container changes
		stave run --rm --network none -v shared:/v -v "$ctx/outside:/v/dir/in" busybox true || true
		stave run --rm --network none -v shared:/v --tmpfs /v/link/tmp busybox true || true
		stave run --rm --network none -v shared:/v -w /v/dir/work busybox true || true
		stave run --rm --network none -v shared:/v -v other:/v/dir busybox true || true
		stave volume rm other || true
	done >/dev/null 2>&1
	is "$(ls "$canary")" file
	stave rm -f racer
	stave volume rm shared
}

@test "VOLUME and mounts through links of the image stay inside" {
	dockerfile <<-END
	FROM guest
	RUN ln -s $canary /data && ln -s / /top && ln -s ../../../.. /up && mkdir /dev2 && ln -s /dev2 /newdev
	VOLUME /data /top$canary
	END
	build
	stave run --rm --network none t sh -c 'echo x >/data/new; ls /data' >"$ctx/out"
	has "$(cat "$ctx/out")" new
	stave run --rm --network none -v "$ctx:/data/mounted" -v named:/up/etc/x --tmpfs "/top$canary/t" t true
	is "$(ls "$canary")" file
	stave volume rm named
	# a /dev that is a link, an /etc that is one
	printf 'FROM guest\nRUN rm -rf /etc /dev 2>/dev/null; ln -s %s /etc\n' "$canary" >"$ctx/Dockerfile"
	build
	run stave run --rm --network none t true
	run stave run --rm --network none -v "$ctx/Dockerfile:/etc/new" t true
	is "$(ls "$canary")" file
}

@test "nothing of an image runs outside: name services, packers, ps" {
	local mark=$BATS_TEST_TMPDIR/ran i
	cat >"$ctx/nss.c" <<-END
	#include <fcntl.h>
	#include <unistd.h>
	__attribute__((constructor)) static void run(void) { close(open("$mark", O_CREAT | O_WRONLY, 0600)); }
	END
	mkdir -p "$ctx/root/lib/x86_64-linux-gnu" "$ctx/root/usr/bin" "$ctx/root/bin" "$ctx/root/etc"
	gcc -shared -fPIC -o "$ctx/root/lib/libnss_files.so.2" "$ctx/nss.c"
	for i in libnss_compat.so.2 libnss_dns.so.2 libnss_systemd.so.2 libc.so.6 liblzma.so.5; do
		cp "$ctx/root/lib/libnss_files.so.2" "$ctx/root/lib/$i"
		cp "$ctx/root/lib/libnss_files.so.2" "$ctx/root/lib/x86_64-linux-gnu/$i"
	done
	echo 'passwd: compat files systemd' >"$ctx/root/etc/nsswitch.conf"
	for i in xz unxz gzip gunzip unpigz zstd bzip2 tar ps git sh-not; do
		printf '#!/bin/sh\n: >%s\n: >/ran\n' "$mark" >"$ctx/root/usr/bin/$i"
		chmod 755 "$ctx/root/usr/bin/$i"
	done
	printf 'FROM guest\nCOPY root /\n' >"$ctx/Dockerfile"
	build
	detach --name xx -u app t sleep "$MARK"
	stave exec -u nobody xx true
	stave top xx >/dev/null
	tar -C "$ctx" -cJf "$ctx/a.tar.xz" nss.c
	stave cp -q "$ctx/a.tar.xz" xx:/tmp/
	stave cp -q - xx:/tmp <"$ctx/a.tar.xz"
	stave cp xx:/etc - >/dev/null
	stave diff xx >/dev/null
	stave export xx >/dev/null
	stave commit xx got >/dev/null
	printf 'FROM t\nADD a.tar.xz /x/\nCOPY --chown=app:app nss.c /y/\n' >"$ctx/Dockerfile"
	stave build -q "$ctx" >/dev/null
	[ ! -e "$mark" ]
	run stave exec xx ls /ran
	differ "$status" 0
	[ -z "$(find "$STAVE_ROOT/containers" "$STAVE_ROOT/layers" -name ran)" ]
}
