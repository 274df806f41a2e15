# SPDX-License-Identifier: Apache-2.0
# Containers in the background: their monitors, and what commands do to them.

load common
load containers

monitor_of() { jq -r .monitor "$STAVE_ROOT"/containers/"$(stave inspect --format '{{.Id}}' "$1")"/state.json; }

@test "words of a container that are no UTF-8 keep their places" {
	local odd=$'x\xffy' sane=$'x\xef\xbf\xbdy'
	stave run -d --network none --name odd -e "A=$odd" -e B=b --label "l=$odd" --label m=n \
		busybox sh -c 'printf "%s|" "$@" "$A" "$B"' sh "$odd" two >/dev/null
	stave wait odd
	is "$(stave logs odd)" "$sane|two|$sane|b|"
	is "$(stave inspect --format '{{index .Config.Labels "l"}} {{index .Config.Labels "m"}}' odd)" "$sane n"
	is "$(stave ps -aq --filter label=m=n | wc -l)" 1
	stave rm odd
	nothing_left
}

@test "run -d prints the id and leaves the container running; stop, start, rm" {
	run stave run -d --network none --name web busybox sleep "$MARK"
	ended 0
	[[ $output =~ ^[0-9a-f]{64}$ ]]
	has "$(stave ps)" web
	is "$(state web)" "running 0"
	run stave rm web
	ended 1
	has "$output" "container is running: stop the container before removing or force remove"
	is "$(stave stop -t 0 web)" web
	is "$(state web)" "exited 137"
	hasnt "$(stave ps)" web
	is "$(stave start web)" web
	is "$(state web)" "running 0"
	is "$(stave rm -f web)" web
	is "$(stave ps -aq)" ""
	nothing_left
}

@test "the stop signal, then SIGKILL; stop of a stopped one is fine" {
	detach --name polite busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
	sleep 0.2
	stave stop polite
	is "$(state polite)" "exited 7"
	is "$(stave stop polite)" polite
	detach --name own --stop-signal USR1 busybox sh -c 'trap "exit 8" USR1; while :; do sleep 0.05; done'
	sleep 0.2
	stave stop own
	is "$(state own)" "exited 8"
	detach --name deaf --stop-timeout 1 busybox sh -c "trap '' TERM; while :; do sleep 0.05; done"
	sleep 0.2
	stave stop deaf
	is "$(state deaf)" "exited 137"
}

@test "kill sends any signal; of a stopped one it fails" {
	detach --name k1 busybox sh -c 'trap "exit 9" HUP; while :; do sleep 0.05; done'
	sleep 0.2
	is "$(stave kill -s HUP k1)" k1
	settled is_state k1 "exited 9"
	run stave kill k1
	ended 1
	has "$output" "is not running"
	run stave kill -s NOPE k1
	ended 1
	has "$output" "invalid signal: NOPE"
}

@test "create, start -a, start -a -i" {
	stave create --network none --name c1 busybox sh -c 'echo out; echo err >&2; exit 5' >/dev/null
	is "$(state c1)" "created 0"
	run --separate-stderr stave start -a c1
	ended 5
	is "$output" out
	is "$stderr" err
	stave create -i --network none --name in busybox cat >/dev/null
	is "$(echo through | stave start -a -i in)" through
	is "$(state in)" "exited 0"
}

@test "the foreground without --rm keeps its container and its code" {
	run stave run --network none --name fg busybox sh -c 'echo x; exit 4'
	ended 4
	is "$output" x
	is "$(state fg)" "exited 4"
	is "$(head -c 3000000 /dev/zero | stave run -i --network none busybox cat | wc -c)" 3000000
}

@test "a name in use, a command that is not there" {
	detach --name one busybox sleep "$MARK"
	run stave run -d --network none --name one busybox true
	ended 125
	has "$output" 'The container name "/one" is already in use'
	run -127 stave run -d --network none --name bad busybox nosuch
	ended 127
	has "$output" "executable file not found"
	is "$(state bad)" "created 127"
	run -127 stave run -d --rm --network none --name gone busybox nosuch
	ended 127
	run stave inspect gone
	ended 1
}

@test "wait, rename, --rm" {
	detach --name w1 busybox sh -c 'sleep 0.3; exit 6'
	is "$(stave wait w1)" 6
	is "$(stave wait w1)" 6
	stave rename w1 v1
	is "$(stave ps -a --format '{{.Names}}')" v1
	detach --rm --name brief busybox sh -c 'sleep 0.2'
	stave wait brief
	settled eval '! stave inspect brief >/dev/null 2>&1'
	nothing_left
}

@test "pause stops all processes, unpause lets them go on" {
	detach --name p1 busybox sh -c 'while :; do echo tick; sleep 0.02; done'
	sleep 0.2
	is "$(stave pause p1)" p1
	has "$(stave ps)" "(Paused)"
	log=$(stave inspect --format '{{.LogPath}}' p1)
	before=$(wc -c <"$log")
	sleep 0.3
	is "$(wc -c <"$log")" "$before"
	run stave pause p1
	ended 1
	stave unpause p1
	sleep 0.2
	differ "$(wc -c <"$log")" "$before"
	stave pause p1
	stave rm -f p1
	nothing_left
}

@test "restart policies" {
	detach --name f1 --restart on-failure:2 busybox sh -c 'exit 3'
	settled is_state f1 "exited 3"
	is "$(stave inspect --format '{{.RestartCount}}' f1)" 2
	detach --name a1 --restart always busybox sh -c 'sleep 0.1'
	sleep 1
	differ "$(stave inspect --format '{{.RestartCount}}' a1)" 0
	stave stop a1
	has "$(state a1)" exited
	run stave run -d --rm --restart always busybox true
	ended 125
	has "$output" "cannot specify both --restart and --rm"
	nothing_left
}

@test "kill -9 of the monitor takes the container along, and the next command says so" {
	detach --name m1 busybox sleep "$MARK"
	kill -9 "$(monitor_of m1)"
	settled is_state m1 "exited 137"
	stave start m1
	is "$(state m1)" "running 0"
	stave rm -f m1
	detach --rm --name r1 busybox sleep "$MARK"
	kill -9 "$(monitor_of r1)"
	settled eval '[ -z "$(stave ps -aq)" ]'
	nothing_left
}

@test "stop and kill of what ends by itself just then" {
	command -v strace >/dev/null || skip "needs strace"
	! sanitized || export ASAN_OPTIONS=detect_leaks=0 # its search is a tracer too
	local slow=${SLOW:-1}
	# the order to stop arrives when the container has ended, and its monitor with it
	detach --name s1 busybox sleep "$slow"
	run strace -qq -o /dev/null -e inject=sendto:delay_enter=$((2 * slow))000000:when=1 stave stop s1
	ended 0
	is "$(state s1)" "exited 0"
	# the next start that was planned is given up, and with it goes who would get the signal
	detach --name s2 --restart always busybox false
	settled is_state s2 "restarting 1"
	run strace -qq -o /dev/null -e inject=sendto:delay_enter=${slow}000000:when=2 stave stop s2
	ended 0
	is "$(state s2)" "exited 1"
	detach --name s3 busybox sleep "$slow"
	run strace -qq -o /dev/null -e inject=sendto:delay_enter=$((2 * slow))000000:when=1 stave kill s3
	ended 0
	is "$(state s3)" "exited 0"
	stave rm s1 s2 s3
	nothing_left
}

@test "the monitor is small" {
	! sanitized || skip "a sanitizer is not small"
	detach --name small busybox sleep "$MARK"
	sleep 0.2
	dirty=$(awk '/^Private_Dirty/ {print $2}' "/proc/$(monitor_of small)/smaps_rollup")
	[ "$dirty" -lt 1024 ]
}
