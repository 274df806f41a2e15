# SPDX-License-Identifier: Apache-2.0
# IPv6: networks with it, and ports that are published on it, also to containers without.

load common
load network

setup_file() {
	private_store
}

setup() {
	network_setup
	[ -e /proc/net/if_inet6 ] || skip "this kernel has no IPv6"
}

teardown() { network_clear; }

ipam() { stave network inspect --format '{{json .IPAM.Config}}' "$1"; }

host_address6() { ip -6 -o addr show scope global | grep -v stave | awk '{sub("/.*","",$4); print $4; exit}'; }

# HOST PORT: what comes back of a UDP message.
udp6() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(3)
s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
print(s.recvfrom(100)[0].decode())
' "$@"
}

@test "network create: a subnet of each family, gateways, ranges, addresses of others" {
	stave network create --ipv6 --subnet 10.77.5.0/24 --subnet fd00:77:5::/64 --gateway 10.77.5.9 \
		--gateway fd00:77:5::9 --ip-range 10.77.5.128/25 --aux-address a=10.77.5.128 \
		--aux-address b=fd00:77:5::1 --opt com.docker.network.driver.mtu=1400 six >/dev/null
	is "$(ipam six)" '[{"Subnet":"10.77.5.0/24","IPRange":"10.77.5.128/25","Gateway":"10.77.5.9","AuxiliaryAddresses":{"a":"10.77.5.128"}},{"Subnet":"fd00:77:5::/64","Gateway":"fd00:77:5::9","AuxiliaryAddresses":{"b":"fd00:77:5::1"}}]'
	run stave run --rm --network six busybox sh -c 'ip addr show eth0; ip -6 route; cat /etc/hosts'
	has "$output" "inet 10.77.5.129/24"
	has "$output" "inet6 fd00:77:5::2/64"
	has "$output" "mtu 1400"
	has "$output" "default via fd00:77:5::9"
	is "$(stave network ls --filter name=six --format '{{.IPv4}} {{.IPv6}}')" "true true"
	run stave run --rm --network six --ip6 fd00:77:5::77 busybox ip addr show eth0
	has "$output" fd00:77:5::77
	stave network create --ipv4=false --ipv6 only >/dev/null
	run stave run --rm --network only busybox ip addr show eth0
	has "$output" "inet6 fd"
	hasnt "$output" "inet "
	is "$(stave network inspect --format '{{.EnableIPv4}} {{.EnableIPv6}}' only)" "false true"
	# icc off: neighbours do not reach each other
	stave network create --opt com.docker.network.bridge.enable_icc=false apart >/dev/null
	web eighty --network apart
	run stave run --rm --network apart busybox wget -T 1 -qO- http://eighty/name
	[ "$status" != 0 ]
	stop_all
	stave network prune -f >/dev/null
	hasnt "$(nft list tables)" "stave-"
	nothing_left
}

@test "network create: what is not right, in Docker's words" {
	local words said
	stave network create --subnet 10.77.6.0/24 taken >/dev/null
	while IFS='|' read -r words said; do
		# shellcheck disable=SC2086
		run stave network create $words odd
		ended 1 || return 1
		has "$output" "$said" || return 1
	done <<-END
	--subnet 10.77.7.0/24 --subnet 10.77.8.0/24|bridge driver doesn't support multiple subnets
	--subnet 10.77.7.0/24,10.77.8.0/24|bridge driver doesn't support multiple subnets
	--subnet 10.77.6.0/25|invalid pool request: Pool overlaps with other one on this address space
	--subnet 10.77.7.0/24 --gateway 10.66.0.1|no matching subnet for gateway 10.66.0.1
	--gateway 10.66.0.1|every ip-range or gateway must have a corresponding subnet
	--ip-range 10.66.0.0/24|every ip-range or gateway must have a corresponding subnet
	--subnet 10.77.7.0/24 --ip-range 10.66.0.0/25|no matching subnet for range 10.66.0.0/25
	--subnet 10.77.7.0/24 --ip-range x|invalid CIDR address: x
	--subnet 10.77.7.0/24 --aux-address a=10.66.0.2|no matching subnet for aux-address 10.66.0.2
	--subnet 10.77.7.5/24|invalid subnet 10.77.7.5/24: it should be 10.77.7.0/24
	--subnet x|invalid subnet x: invalid CIDR block notation
	--ipv4=false|IPv4 or IPv6 must be enabled
	--ipam-driver foo|plugin "foo" not found
	--scope swarm|cannot create a swarm scoped network when swarm is not active
	-o com.docker.network.bridge.enable_icc=x|failed to parse com.docker.network.bridge.enable_icc value: x (strconv.ParseBool: parsing "x": invalid syntax)
	-o com.docker.network.driver.mtu=x|failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)
	-o com.docker.network.bridge.name=much-too-long-a-name|invalid value for com.docker.network.bridge.name: much-too-long-a-name
	-o com.docker.network.bridge.name=a"b|invalid value for com.docker.network.bridge.name
	--subnet 10.77.7.0/24 --gateway 10.77.7.1/24|invalid gateway 10.77.7.1/24: invalid address
	--subnet 10.77.7.0/24 --gateway 10.77.7.0|failed to allocate gateway (10.77.7.0): Address already in use
	--subnet 10.77.7.0/24 --gateway 10.77.7.255|failed to allocate gateway (10.77.7.255): Address already in use
	--ipv6 --subnet fd00:7::/64 --gateway fd00:7::|failed to allocate gateway (fd00:7::): Address already in use
	--subnet 10.77.7.0/24 --ip-range 10.77.0.0/16|no matching subnet for range 10.77.0.0/16
	--subnet 10.77.0.0/24 --ip-range 10.77.0.0/16|invalid ip-range 10.77.0.0/16: CIDR block is bigger than its parent subnet 10.77.0.0/24
	--subnet 10.77.7.0/24 --ip-range 10.77.7.3/25|invalid ip-range 10.77.7.3/25: it should be 10.77.7.0/25
	--subnet 10.77.7.0/24 --aux-address a=10.77.7.1|failed to allocate secondary ip address (a:10.77.7.1): Address already in use
	--subnet 10.77.7.0/24 --aux-address a=10.77.7.255|failed to allocate secondary ip address (a:10.77.7.255): Address already in use
	END
	stave network create -o com.docker.network.bridge.name=twice one >/dev/null
	run stave network create -o com.docker.network.bridge.name=twice two
	ended 1
	has "$output" "(twice): conflicts with network"
	has "$output" "(twice): networks have same bridge name"
	stave network rm taken one
}

@test "network create: of many at once no two get the same addresses" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		stave network create --ipv6 "many$i" >/dev/null &
	done
	wait
	for i in 1 2 3 4 5 6 7 8; do
		stave network inspect --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}' "many$i"
	done | grep . | sort >"$BATS_TEST_TMPDIR/subnets"
	is "$(wc -l <"$BATS_TEST_TMPDIR/subnets")" 16
	is "$(uniq -d <"$BATS_TEST_TMPDIR/subnets")" ""
	stave network rm many1 many2 many3 many4 many5 many6 many7 many8
}

@test "a network of one address has none to give" {
	stave network create --subnet 10.77.9.5/32 single >/dev/null
	run stave run --rm --network single busybox true
	ended 125
	has "$output" "all addresses are taken"
	stave network rm single
}

@test "network rm leaves a bridge that was there before" {
	ip link add stvold type bridge
	ip address add 10.77.10.1/24 dev stvold
	stave network create -o com.docker.network.bridge.name=stvold --subnet 10.77.10.0/24 old >/dev/null
	stave run --rm --network old busybox true
	stave network rm old
	ip link show stvold
	ip address flush dev stvold
	stave network create -o com.docker.network.bridge.name=stvold --subnet 10.77.11.0/24 old >/dev/null
	stave run --rm --network old busybox true
	stave network rm old
	ip link show stvold
	ip link delete stvold
	ip link add stvold type veth peer name stvother
	stave network create -o com.docker.network.bridge.name=stvold --subnet 10.77.11.0/24 old >/dev/null
	run stave run --rm --network old busybox true
	ended 125
	has "$output" "the interface stvold is there and no bridge"
	stave network rm old
	ip link show stvold
	ip link delete stvold
}

@test "-p on IPv6: to a container without it, from the host and through localhost" {
	local port host
	port=$(free_port)
	host=$(host_address6)
	web four -p "$port:80"
	is "$(stave ps --format '{{.Ports}}')" "0.0.0.0:$port->80/tcp, [::]:$port->80/tcp"
	is "$(stave port four)" "80/tcp -> 0.0.0.0:$port
80/tcp -> [::]:$port"
	is "$(ask "127.0.0.1:$port")" four
	is "$(ask "[::1]:$port")" four
	[ -z "$host" ] || is "$(ask "[$host]:$port")" four
	# more at once than one side can be asked for, and large answers
	stave exec four sh -c 'head -c 3000000 /dev/zero >/www/big'
	is "$(curl -s "http://[::1]:$port/big" | wc -c)" 3000000
	for _ in 1 2 3 4 5 6 7 8; do
		curl -s "http://[::1]:$port/big" | wc -c &
	done | sort -u >"$BATS_TEST_TMPDIR/sizes"
	is "$(cat "$BATS_TEST_TMPDIR/sizes")" 3000000
	stop_all
	web five -p "127.0.0.1:$port:80"
	is "$(stave ps --format '{{.Ports}}')" "127.0.0.1:$port->80/tcp"
	no_answer "[::1]:$port"
	stop_all
	web six -p "[::1]:$port:80"
	is "$(stave ps --format '{{.Ports}}')" "[::1]:$port->80/tcp"
	is "$(ask "[::1]:$port")" six
	no_answer "127.0.0.1:$port"
	stop_all
	no_answer "[::1]:$port"
	nothing_left
}

@test "-p on IPv6: to a container that has it; from a neighbour; UDP and ranges" {
	local port host pid
	command -v python3 >/dev/null || skip "needs python3"
	port=$(free_port)
	host=$(host_address6)
	stave network create --ipv6 --subnet fd00:77:7::/64 net >/dev/null
	stave run -d --name both --network net -p "$port:80" -p "$((port + 1))-$((port + 2)):81-82/udp" \
		busybox sh -c "mkdir /www; echo both >/www/name; httpd -p 80 -h /www; exec sleep $MARK" >/dev/null
	is "$(ask "127.0.0.1:$port")" both
	is "$(ask "[::1]:$port")" both
	if [ -n "$host" ]; then
		is "$(ask "[$host]:$port")" both
		is "$(stave run --rm --network net busybox wget -qO- "http://[$host]:$port/name")" both
	fi
	is "$(ask "[fd00:77:7::2]:80")" both
	pid=$(stave inspect --format '{{.State.Pid}}' both)
	nsenter -t "$pid" -n python3 -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 82))
print("bound", flush=True)
while True:
	data, peer = s.recvfrom(100)
	s.sendto(data.upper(), peer)
' >"$BATS_TEST_TMPDIR/bound" 3>&- &
	started+=($!)
	settled grep -q bound "$BATS_TEST_TMPDIR/bound"
	is "$(udp6 ::1 "$((port + 2))")" HELLO
	[ -z "$host" ] || is "$(udp6 "$host" "$((port + 2))")" HELLO
	is "$(udp 127.0.0.1 "$((port + 2))")" HELLO
	# many who ask once, each from an address of its own, leave room for others, TCP too
	is "$(python3 -c '
import socket, sys
told = 0
for _ in range(1500):
	s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	s.bind(("::1", 0))
	s.settimeout(5)
	s.sendto(b"x", ("::1", int(sys.argv[1])))
	told += s.recv(9) == b"X"
	s.close()
print(told)
' "$((port + 2))")" 1500
	is "$(udp6 ::1 "$((port + 2))")" HELLO
	is "$(ask "[::1]:$port")" both
	is "$(stave ps --format '{{.Ports}}')" "0.0.0.0:$port->80/tcp, [::]:$port->80/tcp, 0.0.0.0:$((port + 1))->81/udp, [::]:$((port + 1))->81/udp, 0.0.0.0:$((port + 2))->82/udp, [::]:$((port + 2))->82/udp"
	stave rm -f both >/dev/null
	network_teardown
	hasnt "$(nft list table ip6 stave_ports 2>/dev/null)" "$port"
	stave network rm net
	nothing_left
}

@test "IPv6 beside a FORWARD chain that drops; the container reaches out and is answered" {
	local port
	port=$(free_port)
	nft list chain ip6 filter FORWARD >/dev/null 2>&1 && skip "there is such a chain already"
	nft add table ip6 filter
	nft 'add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }'
	stave network create --ipv6 --subnet fd00:77:8::/64 net >/dev/null
	ip netns add "elsewhere$$"
	ip link add "ve$port" type veth peer name eth0 netns "elsewhere$$"
	ip addr add 2001:db8:51::1/64 dev "ve$port" nodad
	ip link set "ve$port" up
	ip -n "elsewhere$$" addr add 2001:db8:51::2/64 dev eth0 nodad
	ip -n "elsewhere$$" link set eth0 up
	web strict --network net -p "$port:80"
	settled ip netns exec "elsewhere$$" curl -sf --max-time 3 "http://[2001:db8:51::1]:$port/name"
	# masqueraded: elsewhere nobody knows the way to fd00:77:8::
	settled stave run --rm --network net busybox ping -c 1 -W 1 2001:db8:51::2
	# and nobody comes in but by the port
	ip -n "elsewhere$$" route add fd00:77:8::/64 via 2001:db8:51::1
	run ip netns exec "elsewhere$$" curl -sf --max-time 1 "http://[fd00:77:8::2]/name"
	[ "$status" != 0 ]
	stop_all
	stave network rm net
	is "$(nft list chain ip6 filter FORWARD | grep -c accept)" 0
	nft delete table ip6 filter
	ip netns delete "elsewhere$$"
	nothing_left
}
