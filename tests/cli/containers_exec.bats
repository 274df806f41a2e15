# SPDX-License-Identifier: Apache-2.0
# exec, attach and logs: more than one command with one container.

load common
load containers

# A terminal for the words behind INPUT, which is typed when they had time to start; it may
# have several parts (\f), and one "SIZE" changes that of the terminal.
typed() {
	python3 - "$@" <<'P'
import fcntl, os, pty, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
time.sleep(0.5)
for part in sys.argv[1].encode().decode("unicode_escape").encode("latin-1").split(b"\f"):
    if part == b"SIZE":
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 88, 0, 0))
    else:
        os.write(fd, part)
    time.sleep(0.3)
try:
    while True:
        data = os.read(fd, 4096)
        if not data:
            break
        os.write(1, data)
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
}

@test "exec: environment, user, directory, input, exit codes" {
	detach --name xx -e FROM_RUN=1 busybox sleep "$MARK"
	run stave exec -e MORE=2 xx env
	ended 0
	has "$output" FROM_RUN=1
	has "$output" MORE=2
	has "$output" HOME=/root
	is "$(stave exec -u app xx id -u)" 1000
	is "$(stave exec -u app xx sh -c 'echo $HOME')" /home/app
	is "$(stave exec -w /tmp xx pwd)" /tmp
	is "$(echo through | stave exec -i xx cat)" through
	run stave exec xx sh -c 'exit 3'
	ended 3
	run -127 stave exec xx nosuch
	has "$output" "executable file not found"
	run -126 stave exec xx /etc/passwd
	run stave exec nosuch true
	ended 1
	has "$output" "No such container: nosuch"
	stave stop -t 0 xx
	run stave exec xx true
	ended 1
	has "$output" "is not running"
}

@test "exec is inside: the same processes, capabilities and filter as the first command" {
	detach --name xx busybox sleep "$MARK"
	has "$(stave exec xx ps)" "sleep $MARK"
	is "$(stave exec xx grep -E '^(Cap|Seccomp:|NoNew)' /proc/self/status)" \
		"$(stave exec xx grep -E '^(Cap|Seccomp:|NoNew)' /proc/1/status)"
	is "$(stave exec --privileged xx grep CapEff /proc/self/status)" "$(grep CapEff /proc/self/status)"
	is "$(stave exec xx cat /proc/self/cgroup)" "$(stave exec xx cat /proc/1/cgroup)"
	run stave exec xx ls /proc/1/root/
	ended 0
	stave exec -d xx sh -c 'sleep 0.2; touch /tmp/later'
	settled stave exec xx test -f /tmp/later
	stave rm -f xx
	nothing_left
}

@test "exec -it has a terminal of its own, with its size" {
	detach --name xx busybox sleep "$MARK"
	run typed 'stty size; tty; exit 4\n' stave exec -it xx sh
	ended 4
	has "$output" "33 77"
	has "$output" /dev/pts/
	run stave exec -it xx sh </dev/null
	ended 1
	has "$output" "the input device is not a TTY"
}

@test "exec -it: keys detach, and what runs there goes on" {
	detach --name xx busybox sleep "$MARK"
	run typed 'echo in\n\f\x10\x11' stave exec -it xx sh -c 'while read line; do :; done; echo out >/tmp/out'
	ended 1
	has "$output" "read escape sequence"
	has "$(stave exec xx ps)" "while read line"
	# it writes more than a terminal holds, and nobody who looks at it is there any more
	run typed 'x' stave exec -it --detach-keys x xx sh -c 'sleep 0.7; i=0; while [ $i -lt 9999 ]; do echo $i; i=$((i+1)); done; touch /tmp/end'
	ended 1
	settled stave exec xx test -f /tmp/end
	run typed 'exit 5\n' stave exec -it --detach-keys nope xx sh
	ended 1
	has "$output" "invalid detach keys (nope)"
	stave rm -f xx
	nothing_left
}

@test "exec, top and health checks in a container of another runtime" {
	command -v crun >/dev/null || skip "crun is not installed"
	detach --name cc --runtime crun --health-cmd 'test -f /tmp/ok' --health-interval 200ms busybox sleep "$MARK"
	run stave exec -e A=b -w /tmp cc sh -c 'echo $A; pwd; touch ok; exit 7'
	ended 7
	is "$output" $'b\n/tmp'
	has "$(stave exec cc ps)" "sleep $MARK"
	is "$(stave exec cc grep -E '^(CapEff|Seccomp:)' /proc/self/status)" "$(stave exec cc grep -E '^(CapEff|Seccomp:)' /proc/1/status)"
	has "$(stave top cc)" "sleep $MARK"
	hasnt "$(stave top cc)" crun
	settled eval '[ "$(stave inspect --format "{{.State.Health.Status}}" cc)" = healthy ]'
	stave rm -f cc
	nothing_left
}

@test "what is done to a container of another runtime is not done to the host" {
	command -v crun >/dev/null || skip "crun is not installed"
	detach --name cc --runtime crun --ipc shareable busybox \
		sh -c "i=0; while :; do i=\$((i + 1)); echo \$i >/tmp/n; sleep 0.0$MARK; done"
	stave exec cc true # it is there
	pid=$(stave inspect --format '{{.State.Pid}}' cc)
	echo ours >"$ctx/canary"
	run stave cp "cc:$ctx/canary" -
	ended 1
	has "$output" "Could not find the file"
	echo theirs >"$ctx/own"
	run stave cp "$ctx/own" "cc:$ctx/canary"
	ended 1
	is "$(<"$ctx/canary")" ours
	stave cp "$ctx/own" cc:/tmp/own
	is "$(stave exec cc cat /tmp/own)" theirs

	for kind in net pid ipc; do
		option=--$kind
		[ "$kind" = net ] && option=--network
		is "$(stave run --rm $option container:cc busybox ls -l /proc/self/ns/$kind | grep -o '[a-z]*:\[.*')" \
			"$(readlink "/proc/$pid/ns/$kind")"
		differ "$(readlink "/proc/$pid/ns/$kind")" "$(readlink "/proc/self/ns/$kind")"
	done

	settled test -s "/proc/$pid/root/tmp/n"
	stave pause cc
	before=$(<"/proc/$pid/root/tmp/n")
	sleep 0.3
	is "$(<"/proc/$pid/root/tmp/n")" "$before"
	stave unpause cc
	settled eval '[ "$(<"/proc/$pid/root/tmp/n")" != "$before" ]'
	stave rm -f cc
	nothing_left
}

@test "limits of a container of another runtime can be changed while it runs" {
	command -v crun >/dev/null || skip "crun is not installed"
	stave run --rm --memory 64m --network none busybox true 2>/dev/null || skip "no limits here"
	detach --name cc --runtime crun busybox sleep "$MARK"
	stave update --memory 64m cc >/dev/null
	has "$(<"/proc/$(stave inspect --format '{{.State.Pid}}' cc)/cgroup")" /stave/
	stave rm -f cc
	nothing_left
}

@test "run -it with crun and runc: the terminal, its size and changes of it, the end" {
	local other
	for other in crun runc; do
		command -v $other >/dev/null || skip "$other is not installed"
		run typed 'stty size; tty\n\fSIZE\fstty size\n\f\x10\x11' stave run -it --network none \
			--runtime $other --name tt busybox sh
		ended 0
		has "$output" "33 77"
		has "$output" /dev/pts/0
		has "$output" "44 88"
		is "$(stave exec tt readlink /proc/1/exe)" /bin/busybox
		run typed 'exit 5\n' stave attach tt
		ended 5
		stave rm tt
		# what it wrote last is not lost, and a signal is passed on
		run typed '' stave run --rm -t --network none --runtime $other busybox seq 1 9999
		ended 0
		has "${lines[-1]}" 9999
		stave run -dt --network none --runtime $other --name tt busybox sh -c \
			'trap "exit 6" TERM; echo ready; while :; do sleep 0.1; done'
		settled eval '[[ $(stave logs tt) == *ready* ]]'
		stave stop -t 5 tt
		is "$(stave inspect --format '{{.State.ExitCode}}' tt)" 6
		run -127 typed '' stave run --rm -t --network none --runtime $other busybox nosuch
		has "$output" "nosuch"
		run -126 typed '' stave run --rm -t --network none --runtime $other busybox /etc/passwd
		stave rm tt
	done
	nothing_left
}

@test "run -it: keys detach, attach comes back, the end has the shell's code" {
	run typed 'echo one\n\f\x10\x11' stave run -it --network none --name tt busybox sh
	ended 0
	is "$(stave inspect --format '{{.State.Status}}' tt)" running
	run typed 'echo $((40+2)); stty size; exit 6\n' stave attach tt
	ended 6
	has "$output" 42
	has "$output" "33 77"
	is "$(stave inspect --format '{{.State.Status}} {{.State.ExitCode}}' tt)" "exited 6"
	has "$(stave logs tt)" one
	nothing_left
}

@test "several are attached to one; a killed one takes nothing along" {
	detach -i --name many busybox sh -c 'while read line; do echo "got $line"; done'
	stave attach --no-stdin many >"$ctx/one" &
	one=$!
	stave attach --no-stdin many >"$ctx/two" &
	two=$!
	sleep 0.3
	echo hello | stave attach many >"$ctx/three" &
	three=$!
	settled grep -q 'got hello' "$ctx/one"
	settled grep -q 'got hello' "$ctx/two"
	kill -9 "$three" "$one"
	is "$(stave inspect --format '{{.State.Status}}' many)" running
	stave stop -t 0 many
	wait "$two" || true
	run stave attach many
	ended 1
	has "$output" "You cannot attach to a stopped container, start it first"
}

@test "logs: streams, tail, times, since, follow" {
	detach --name ll busybox sh -c 'echo one; echo two >&2; printf three; sleep 0.5'
	stave wait ll >/dev/null
	run --separate-stderr stave logs ll
	is "$output" $'one\nthree'
	is "$stderr" two
	is "$(stave logs --tail 1 ll 2>&1)" three
	is "$(stave logs -n 0 ll 2>&1)" ""
	[[ $(stave logs -t ll 2>/dev/null | head -1) =~ ^20[0-9-]+T[0-9:]+\.[0-9]{9}Z\ one$ ]]
	is "$(stave logs --since 1h ll 2>/dev/null)" $'one\nthree'
	is "$(stave logs --until 1h ll 2>&1)" ""
	detach --name ff busybox sh -c 'for i in 1 2 3 4; do echo $i; sleep 0.1; done'
	is "$(timeout 10 stave logs -f ff | tr '\n' ' ')" "1 2 3 4 "
	run stave logs nosuch
	ended 1
	detach --name nn --log-driver none busybox true
	run stave logs nn
	ended 1
	has "$output" "configured logging driver does not support reading"
}

@test "logs: max-size and max-file; bytes that are no text; long lines" {
	detach --name big --log-opt max-size=10k --log-opt max-file=2 busybox \
		sh -c 'i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done'
	stave wait big >/dev/null
	dir=$(dirname "$(stave inspect --format '{{.LogPath}}' big)")
	[ -e "$dir/log.json.1" ]
	[ ! -e "$dir/log.json.2" ]
	[ "$(stat -c %s "$dir/log.json.1")" -le 10240 ]
	is "$(stave logs --tail 1 big)" "line 499"
	detach --name odd busybox sh -c 'printf "a\377b\0c\n"; head -c 40000 /dev/zero | tr "\0" x'
	stave wait odd >/dev/null
	is "$(stave logs odd | head -1)" $'a\xef\xbf\xbdb\xef\xbf\xbdc'
	is "$(stave logs odd | tail -1 | wc -c)" 40000
}

@test "health checks: starting, healthy, unhealthy, and nothing is killed" {
	health() { [ "$(stave inspect --format '{{.State.Health.Status}}' "$1")" = "$2" ]; }
	detach --name hh --health-cmd 'test -f /tmp/ok' --health-interval 100ms --health-retries 2 \
		busybox sleep "$MARK"
	health hh starting
	settled health hh unhealthy
	has "$(stave ps)" "(unhealthy)"
	stave exec hh touch /tmp/ok
	settled health hh healthy
	is "$(stave ps -q --filter health=healthy | wc -l)" 1
	stave stop -t 0 hh
	nothing_left
}
