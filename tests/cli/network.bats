# SPDX-License-Identifier: Apache-2.0
# Networks of containers: real connections, beside whatever other rules the machine has.

load common
load network

setup_file() {
	private_store
}

setup() { network_setup; }

teardown() { network_teardown; }

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
	is "$(stave ps --format '{{.Ports}}' --filter name=one)" "0.0.0.0:$port->80/tcp, [::]:$port->80/tcp"
	is "$(stave inspect --format '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' one)" "$port"
	other_machine "$port"
	is "$(ip netns exec "elsewhere$$" curl -sf --max-time 3 "http://198.51.100.1:$port/name")" one
	ip netns delete "elsewhere$$"
	stop_all
	no_answer "127.0.0.1:$port"
	hasnt "$(ports_table)" "$port"
	nothing_left
}

@test "network create: gateway modes: who is routed there reaches no port, or all" {
	local port mode address
	port=$(free_port)
	other_machine "$port"
	for mode in nat nat-unprotected; do
		stave network create -o "com.docker.network.bridge.gateway_mode_ipv4=$mode" "gm-$mode" >/dev/null
		web "$mode" --network "gm-$mode"
		address=$(stave inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$mode")
		is "$(ask "$address")" "$mode"
		run ip netns exec "elsewhere$$" curl -sf --max-time 2 "http://$address/name"
		[ "$mode" = nat ] || is "$output" "$mode"
		[ "$mode" != nat ] || differ "$status" 0
	done
	stop_all
	stave network rm gm-nat gm-nat-unprotected >/dev/null
	ip netns delete "elsewhere$$"
	for mode in "foo|failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: foo (unknown gateway mode foo)" \
		"routed|nat and nat-unprotected are supported, not routed"; do
		run stave network create -o "com.docker.network.bridge.gateway_mode_ipv4=${mode%%|*}" gm
		ended 1
		has "$output" "${mode#*|}"
	done
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

@test "network: names, aliases and addresses; the others come and go" {
	local id
	id=$(stave network create --label a=b lan)
	is "${#id}" 64
	run stave network create lan
	ended 1
	has "$output" "network with name lan already exists"
	stave run -d --init --name web --network lan --network-alias www --hostname box busybox \
		sh -c 'mkdir /www; echo web >/www/name; exec httpd -f -h /www' >/dev/null
	is "$(stave run --rm --network lan busybox sh -c 'sleep 0.3; for n in web www box; do wget -qO- http://$n/name; done' | tr '\n' ' ')" "web web web "
	stave run -d --init --name late --network lan busybox sleep "$MARK" >/dev/null
	has "$(stave exec web nslookup late)" "Name:	late"
	has "$(stave network inspect --format '{{json .Containers}}' lan)" '"Name":"late"'
	stave rm -f late >/dev/null
	run stave exec web nslookup late
	hasnt "$output" "Name:"
	run stave network rm lan
	ended 1
	has "$output" 'network lan has active endpoints (name:"web"'
	is "$(stave run --rm --network container:web busybox wget -qO- http://127.0.0.1/name)" web
	# started again it is found again
	stave restart -t 1 web >/dev/null
	is "$(stave run --rm --network lan busybox sh -c 'sleep 0.3; wget -qO- http://web/name')" web
	stave rm -f web >/dev/null
	stave network rm lan
	nothing_left
}

@test "network: others cannot reach it, and an internal one has no way out" {
	local address
	stave network create one >/dev/null
	stave network create --internal --subnet 10.77.8.0/24 --gateway 10.77.8.9 two >/dev/null
	web eight --network one
	address=$(stave exec eight hostname -i)
	is "$(stave run --rm --network one busybox wget -qO- "http://$address/name")" eight
	run timeout 5 stave run --rm --init busybox wget -T 1 -qO- "http://$address/name"
	hasnt "$output" eight
	run timeout 5 stave run --rm --init --network two busybox wget -T 1 -qO- "http://$address/name"
	hasnt "$output" eight
	hasnt "$(stave run --rm --network two busybox ip route)" default
	has "$(stave run --rm --network two --ip 10.77.8.77 busybox hostname -i)" 10.77.8.77
	run stave run --rm --network two --ip 10.1.1.1 busybox true
	ended 125
	has "$output" "no configured subnet or ip-range contain the IP address 10.1.1.1"
	stop_all
	has "$(stave network prune -f)" one
	is "$(stave network ls --filter type=custom -q)" ""
	hasnt "$(nft list tables)" "stave-"
	nothing_left
}

@test "network: published ports of a named one, and after kill -9" {
	local port
	port=$(free_port)
	stave network create net >/dev/null
	web nine --network net -p "$port:80"
	is "$(ask "127.0.0.1:$port")" nine
	kill -9 "${started[0]}"
	wait "${started[0]}" || true
	started=()
	is "$(stave network inspect --format '{{json .Containers}}' net)" "{}"
	hasnt "$(ports_table)" "$port"
	stave network rm net
	nothing_left
}

@test "network: what is not there, and what is always there" {
	run stave run --rm --network nosuch busybox true
	ended 125
	has "$output" "network nosuch not found"
	run stave network rm nosuch
	ended 1
	run stave network rm bridge
	ended 1
	has "$output" "bridge is a pre-defined network and cannot be removed"
	run stave network create --subnet 10.1.2.3/24 odd
	ended 1
	run stave run --rm --network-alias x busybox true
	ended 125
	has "$output" "network-scoped aliases are only supported for user-defined networks"
	is "$(stave network ls --format '{{.Name}} {{.Driver}}')" $'bridge bridge\nhost host\nnone null'
}
