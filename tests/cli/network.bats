# SPDX-License-Identifier: Apache-2.0
# Networks of containers: real connections, beside whatever other rules the machine has.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	am_root && command -v nft >/dev/null || skip "needs root and nft"
	watch_machine
	started=()
}

teardown() {
	local pid
	for pid in "${started[@]}"; do
		kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	ip netns delete "elsewhere$$" 2>/dev/null || true
}

# A port that nobody has, from a range that the kernel does not give away.
free_port() {
	local p
	while p=$((RANDOM % 12000 + 20000)); do
		[ -n "$(ss -Hltnu "sport = :$p")" ] || break
	done
	echo "$p"
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

@test "-p: from the host, through localhost, from a container, from another machine" {
	local port host
	port=$(free_port)
	host=$(host_address)
	web one -p "$port:80"
	is "$(ask "127.0.0.1:$port")" one
	is "$(ask "localhost:$port")" one
	is "$(ask "$host:$port")" one
	is "$(stave run --rm busybox wget -qO- "http://$host:$port/name")" one
	# through its own port, too
	is "$(stave ps --format '{{.Ports}}' --filter name=one)" "0.0.0.0:$port->80/tcp"
	is "$(stave inspect --format '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' one)" "$port"
	ip netns add "elsewhere$$"
	ip link add "ve$port" type veth peer name eth0 netns "elsewhere$$"
	ip addr add 198.51.100.1/30 dev "ve$port"
	ip link set "ve$port" up
	ip -n "elsewhere$$" addr add 198.51.100.2/30 dev eth0
	ip -n "elsewhere$$" link set eth0 up
	is "$(ip netns exec "elsewhere$$" curl -sf --max-time 3 "http://198.51.100.1:$port/name")" one
	ip netns delete "elsewhere$$"
	stop_all
	no_answer "127.0.0.1:$port"
	hasnt "$(ports_table)" "$port"
	nothing_left
}

@test "-p: an address of the host, a range, any port, -P" {
	local port host
	port=$(free_port)
	host=$(host_address)
	web two -p "127.0.0.1:$port:80" -p 80 -p "$((port + 1))-$((port + 2)):81-82"
	is "$(ask "127.0.0.1:$port")" two
	no_answer "$host:$port"
	has "$(stave ps --format '{{.Ports}}' --filter name=two)" "127.0.0.1:$port->80/tcp"
	has "$(stave ps --format '{{.Ports}}' --filter name=two)" "0.0.0.0:$((port + 1))->81/tcp"
	stop_all
	dockerfile <<-END
	FROM busybox
	EXPOSE 80 53/udp
	END
	build
	stave run --rm --init --name three -P t sh -c 'mkdir /www; echo three >/www/name; exec httpd -f -h /www' 3>&- &
	started+=($!)
	running three
	port=$(stave inspect --format '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' three)
	is "$(ask "127.0.0.1:$port")" three
	has "$(stave ps --format '{{.Ports}}' --filter name=three)" "->53/udp"
	stop_all
	nothing_left
}

@test "-p: UDP" {
	local port pid
	command -v python3 >/dev/null || skip "needs python3"
	port=$(free_port)
	stave run --rm --init --name echo -p "$port:7/udp" busybox sleep "$MARK" 3>&- &
	started+=($!)
	running echo
	pid=$(stave inspect --format '{{.State.Pid}}' echo)
	nsenter -t "$pid" -n python3 -c '
import socket
s = socket.socket(type=socket.SOCK_DGRAM)
s.bind(("", 7))
for i in range(2):
	data, peer = s.recvfrom(100)
	s.sendto(data.upper(), peer)
' 3>&- &
	started+=($!)
	sleep 0.5
	is "$(udp 127.0.0.1 "$port")" HELLO
	is "$(udp "$(host_address)" "$port")" HELLO
	has "$(stave ps --format '{{.Ports}}' --filter name=echo)" "0.0.0.0:$port->7/udp"
	stop_all
	nothing_left
}

@test "-p: a port in use is named before anything runs" {
	local port
	port=$(free_port)
	web four -p "$port:80"
	run stave run --rm -p "$port:80" busybox echo started
	ended 125
	has "$output" "Bind for 0.0.0.0:$port failed: port is already allocated"
	hasnt "$output" started
	# one of a range is free
	web five -p "$port-$((port + 3)):80"
	is "$(ask "127.0.0.1:$((port + 1))")" five
	stop_all
	busybox nc -l -p "$port" 3>&- &
	started+=($!)
	sleep 0.2
	run stave run --rm -p "$port:80" busybox echo started
	ended 125
	has "$output" "failed: port is already allocated"
	stop_all
	nothing_left
}

@test "-p: what is not right" {
	local word
	while read -r word said; do
		run stave run --rm -p "$word" busybox true
		ended 125
		has "$output" "$said"
	done <<-END
	abc invalid containerPort: abc
	x:80 invalid hostPort: x
	999.1.1.1:80:80 invalid IP address: 999.1.1.1
	80/foo invalid proto: foo
	80-82:8000-8001 invalid ranges specified for container and host Ports: 8000-8001 and 80-82
	8000-7000:80 invalid hostPort: 8000-7000
	70000 invalid containerPort: 70000
	END
}

@test "-p: after kill -9 the next command takes the rules away" {
	local port
	port=$(free_port)
	web six -p "$port:80"
	is "$(ask "127.0.0.1:$port")" six
	kill -9 "${started[0]}"
	wait "${started[0]}" || true
	started=()
	stave ps >/dev/null
	hasnt "$(ports_table)" "$port"
	no_answer "127.0.0.1:$port"
	nothing_left
}

@test "containers do not reach what listens on the host's loopback" {
	local port
	port=$(free_port)
	web seven -p "$port:80"
	mkdir "$ctx/www"
	echo secret >"$ctx/www/name"
	busybox httpd -f -p "127.0.0.1:$((port + 1))" -h "$ctx/www" 3>&- &
	started+=($!)
	is "$(ask "127.0.0.1:$((port + 1))")" secret
	# a route for 127.0.0.0/8 to the bridge, as only a container with all rights can have
	run stave run --rm --privileged busybox sh -c "
		echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
		ip addr del 127.0.0.1/8 dev lo
		ip route add 127.0.0.0/8 via \$(ip route | sed -n 's/default via \([^ ]*\).*/\1/p') src \$(hostname -i)
		wget -T 2 -qO- http://127.0.0.1:$((port + 1))/name"
	hasnt "$output" secret
	stop_all
	nothing_left
}
