# SPDX-License-Identifier: Apache-2.0
#
# Servers in containers, and who reaches them: for the files about networks.

network_setup() {
	common_setup
	am_root && command -v nft >/dev/null || skip "needs root and nft"
	watch_machine
	started=()
}

network_teardown() {
	local pid
	for pid in "${started[@]}"; do
		kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	ip netns delete "elsewhere$$" 2>/dev/null || true
}

# NUMBER: a name space elsewhere$$ that is a machine behind a link to this one, 198.51.100.1.
other_machine() {
	ip netns add "elsewhere$$"
	ip link add "ve$1" type veth peer name eth0 netns "elsewhere$$"
	ip addr add 198.51.100.1/30 dev "ve$1"
	ip link set "ve$1" up
	ip -n "elsewhere$$" addr add 198.51.100.2/30 dev eth0
	ip -n "elsewhere$$" link set eth0 up
	ip -n "elsewhere$$" route add default via 198.51.100.1
}

# And all containers and networks of the store.
network_clear() {
	network_teardown
	stave ps -aq | xargs -r stave rm -f >/dev/null
	stave network prune -f >/dev/null
}

# NAME OPTIONS…: a web server on port 80 that says its name, once it answers inside.
web() {
	local name=$1 i
	shift
	stave run --rm --init --name "$name" "$@" busybox \
		sh -c "mkdir /www; echo $name >/www/name; touch /www/up; exec httpd -f -p 80 -h /www" 3>&- &
	started+=($!)
	running "$name"
}

running() {
	local i
	for i in $(seq 100); do
		[ -z "$(stave ps -q --filter "name=$1")" ] || return 0
		sleep 0.05
	done
	return 1
}

# What HOST:PORT says; a server may need a moment until it listens.
ask() {
	local i
	for i in $(seq 20); do
		curl -sf --max-time 3 "http://$1/name" && return 0
		sleep 0.1
	done
	return 1
}

# HOST PORT: what comes back.
udp() {
	python3 -c '
import socket, sys
s = socket.socket(type=socket.SOCK_DGRAM)
s.settimeout(3)
s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
print(s.recvfrom(100)[0].decode())
' "$@"
}

no_answer() { ! curl -sf --max-time 1 "http://$1/name"; }

stop_all() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	started=()
}

ports_table() { nft list table ip stave_ports 2>/dev/null || true; }

host_address() { ip -4 -o addr show scope global | grep -v stave | awk '{sub("/.*","",$4); print $4; exit}'; }
