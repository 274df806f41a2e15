# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of each of our processes in turn: the next command tells the truth,
# and nothing is left of the machine's that was not there before.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	command -v nft >/dev/null || skip "nft is missing"
	# the bridge and its table are the machine's, and stay
	stave run --rm busybox true
	settled is_steady
	watch_machine
}

teardown() {
	am_root || return 0
	stave rm -f $(stave ps -aq) >/dev/null 2>&1 || true
	[ -z "$(jobs -p)" ] || kill -9 $(jobs -p) 2>/dev/null || true
}

# What there is of each kind, of all that we make.
count_machine() {
	printf 'mounts %s\n' "$(wc -l </proc/self/mountinfo)"
	printf 'links %s\n' "$(links | wc -l)"
	printf 'rules %s\n' "$(nft list ruleset 2>/dev/null | grep -c 'dnat\|10\.' || true)"
	printf 'addresses %s\n' "$(ls /run/stave/endpoints 2>/dev/null | wc -l)"
	printf 'spaces %s\n' "$(lsns -n -o NS,COMMAND 2>/dev/null | grep -c "sleep $MARK" || true)"
	printf 'leases %s\n' "$(ls "$STAVE_ROOT/leases" | wc -l)"
	printf 'containers %s\n' "$(ls "$STAVE_ROOT/containers" | wc -l)"
}

# The kernel takes its time with the name space of the run before.
is_steady() {
	count_machine >"$BATS_TEST_TMPDIR/before"
	sleep 0.2
	count_machine | cmp -s - "$BATS_TEST_TMPDIR/before"
}

# No more of anything: what was there before may have gone meanwhile.
as_before() {
	paste "$BATS_TEST_TMPDIR/before" <(count_machine) | awk '$4 > $2 { more = 1 } END { exit more }'
}

# After the containers are away: the next command that needs the network tidies.
all_gone() {
	stave rm -f $(stave ps -aq) >/dev/null 2>&1 || true
	stave run --rm busybox true
	settled as_before || {
		diff "$BATS_TEST_TMPDIR/before" <(count_machine)
		return 1
	}
	nothing_left
}

state() { stave inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1"; }

is_state() { [ "$(state "$1")" = "$2" ]; }

monitor_of() { jq -r .monitor "$STAVE_ROOT"/containers/"$(stave inspect --format '{{.Id}}' "$1")"/state.json; }

server() {
	stave run -d --name web -p 127.0.0.1:0:80 "$@" busybox sh -c "echo up; exec sleep $MARK" >/dev/null
	settled eval '[ "$(stave logs web)" = up ]'
}

@test "kill -9: the command in whose foreground it runs" {
	stave run --rm --name web -p 127.0.0.1:0:80 busybox sh -c "echo up; exec sleep $MARK" >"$ctx/log" 3>&- &
	local pid=$!
	settled grep -q up "$ctx/log"
	kill -9 "$pid"
	wait "$pid" || true
	settled eval '[ -z "$(stave ps -aq)" ]'
	all_gone
}

@test "kill -9: commands beside a monitor take nothing along" {
	local command pid
	server
	for command in 'attach --no-stdin web' 'logs -f web' 'wait web' 'stats web' 'events' 'top web'; do
		stave $command >/dev/null 2>&1 3>&- &
		pid=$!
		sleep 0.1
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" || true
		is "$(state web)" "running 0"
	done
	all_gone
}

@test "kill -9: exec takes its command along, and that alone" {
	server
	stave exec web sleep 1234 >/dev/null 2>&1 3>&- &
	local pid=$!
	settled eval 'stave top web | grep -q "sleep 1234"'
	kill -9 "$pid"
	wait "$pid" || true
	settled eval '! stave top web | grep -q "sleep 1234"'
	is "$(state web)" "running 0"
	all_gone
}

@test "kill -9: a health check, and what it runs" {
	server --health-cmd 'sleep 4321' --health-interval 100ms --health-timeout 60s
	settled eval 'stave top web | grep -q "sleep 4321"'
	pkill -9 -f "container exec $(stave inspect --format '{{.Id}}' web)" || true
	is "$(state web)" "running 0"
	settled eval 'stave top web | grep -q "sleep 4321"'
	all_gone
}

@test "kill -9: the monitor" {
	server
	kill -9 "$(monitor_of web)"
	settled is_state web "exited 137"
	stave start web >/dev/null
	is "$(state web)" "running 0"
	kill -9 "$(monitor_of web)"
	all_gone
}

@test "kill -9: the monitor of a container that is paused, with and without limits" {
	local options
	for options in "" "--memory 50m"; do
		server $options
		stave pause web
		kill -9 "$(monitor_of web)"
		# what is frozen cannot die by itself
		SECONDS=0
		settled is_state web "exited 137"
		[ $SECONDS -lt 30 ]
		all_gone
	done
}

@test "kill -9: the first process" {
	server
	kill -9 "$(stave inspect --format '{{.State.Pid}}' web)"
	settled is_state web "exited 137"
	# a port that was published is free again
	is "$(stave port web)" ""
	all_gone
}

@test "kill -9: run -d at any moment leaves a container or none" {
	local i pid said
	for i in 0 1 2 3 4 5 6 8 10 13 16 20 25 30 40; do
		stave run -d -p 127.0.0.1:0:80 busybox sleep "$MARK" >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.$(printf '%03d' "$i")"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		# whatever state it has, it can be looked at and removed
		said=$(stave ps -a --format '{{.State}}' | sort -u | tr '\n' ' ')
		[[ $said =~ ^((created|running|exited)\ )*$ ]]
	done
	all_gone
}

@test "kill -9: cp, commit and export in the middle; the container goes on" {
	local command pid
	server
	stave exec web sh -c 'for i in $(seq 300); do head -c 20000 /dev/zero >/tmp/$i; done'
	for command in "cp web:/tmp $ctx/out" 'commit web left' "export -o $ctx/o.tar web"; do
		stave $command >/dev/null 2>&1 3>&- &
		pid=$!
		sleep 0.0$((RANDOM % 10))
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		is "$(timeout 20 stave exec web echo goes on)" "goes on"
		is "$(state web)" "running 0"
	done
	stave rmi left >/dev/null 2>&1 || true
	all_gone
}
