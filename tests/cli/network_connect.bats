# SPDX-License-Identifier: Apache-2.0
# Containers on several networks: at their start, and while they run.

load common
load network

setup_file() {
	private_store
}

setup() { network_setup; }

teardown() { network_clear; }

addresses() { stave exec "$1" sh -c 'ip -4 -o addr' | awk '!/ lo /{print $2 "=" $4}'; }

gone() { [ -z "$(stave ps -q)" ]; }

settings() { stave inspect --format "$2" "$1"; }

@test "several networks: interfaces in order, the default route by priority and name" {
	stave network create --subnet 10.77.1.0/24 net-a >/dev/null
	stave network create --subnet 10.77.2.0/24 net-b >/dev/null
	# eth0 is that of the first --network, the way out that of the first name
	is "$(stave run --rm --network net-b --network net-a busybox sh -c 'ip -4 -o addr; ip route' |
		grep -oE 'eth[01] +inet [0-9.]*|default.*' | tr -s ' ' | paste -sd,)" \
		"eth0 inet 10.77.2.2,eth1 inet 10.77.1.2,default via 10.77.1.1 dev eth1 "
	is "$(stave run --rm --network net-b --network name=net-a,gw-priority=1 busybox \
		sh -c 'ip -4 -o addr; ip route' | grep -oE 'eth[01] +inet [0-9.]*|default.*' |
		tr -s ' ' | paste -sd,)" \
		"eth0 inet 10.77.1.3,eth1 inet 10.77.2.3,default via 10.77.1.1 dev eth0 "
	is "$(stave run --rm --network name=net-a,ip=10.77.1.77,mac-address=02:42:00:00:00:05,driver-opt=com.docker.network.endpoint.ifname=lan0 \
		busybox sh -c 'ip addr show lan0' | grep -oE 'ether [^ ]*|inet [0-9.]*' | paste -sd,)" \
		"ether 02:42:00:00:00:05,inet 10.77.1.77"
	is "$(stave run --rm --mac-address 02-42-00-00-00-06 busybox cat /sys/class/net/eth0/address)" \
		02:42:00:00:00:06
	has "$(stave run --rm --network net-a --link-local-ip 169.254.3.4 busybox ip -4 addr)" \
		"inet 169.254.3.4/16"
	stave network rm net-a net-b
	nothing_left
}

@test "events of networks and volumes, and of a container on them" {
	local id
	elsewhere # without what other tests have done
	stave network create net-a >/dev/null
	stave network create net-b >/dev/null
	stave volume create vol >/dev/null
	stave volume create vol >/dev/null # is there: no event
	stave run -d --name ev --network net-a -v vol:/v:ro -v /none busybox sleep "$MARK" >/dev/null
	id=$(stave inspect --format '{{.Id}}' ev)
	stave network connect net-b ev
	stave network disconnect net-b ev
	stave rm -f -v ev
	stave run --rm --network none busybox true
	stave network rm net-a net-b
	stave volume rm vol
	told() { stave events --since 1h --until 0s "$@" --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'; }
	is "$(told --filter type=network)" "$(printf 'network %s\n' 'create net-a' 'create net-b' 'connect net-a' \
		'connect net-b' 'disconnect net-b' 'disconnect net-a' 'connect none' 'disconnect none' \
		'destroy net-a' 'destroy net-b')"
	is "$(told --filter network=net-b --filter event=connect --filter event=create)" \
		$'network create net-b\nnetwork connect net-b'
	is "$(told --filter volume=vol)" "$(printf 'volume %s <no value>\n' create mount unmount destroy)"
	is "$(told --filter type=volume | sort | uniq -c | tr -s ' ')" \
		"$(printf ' 2 volume %s <no value>\n' create destroy mount unmount)"
	is "$(told --filter container=ev --filter scope=local | cut -d' ' -f1,2)" \
		"$(printf 'container %s\n' create start die destroy)"
	run stave events --since 1h --until 0s --filter volume=vol --filter event=mount
	has "$output" " volume mount vol (container=$id, destination=/v, driver=local, propagation=, read/write=false)"
	run stave events --since 1h --until 0s --filter network=net-a --filter event=connect
	has "$output" "(container=$id, name=net-a, type=bridge)"
	run stave events --since 1h --until 0s --filter network=net-a --filter event=create --format json
	is "$(jq -r 'keys_unsorted | join(" ")' <<<"$output")" "Type Action Actor scope time timeNano"
	nothing_left
}

@test "network connect, disconnect: whatever a container calls its interfaces" {
	stave network create --subnet 10.77.1.0/24 net-a >/dev/null
	stave network create --subnet 10.77.2.0/24 net-b >/dev/null
	stave run -d --name odd --cap-add NET_ADMIN --network net-a busybox sleep "$MARK" >/dev/null
	stave network connect net-b odd
	stave exec odd sh -c 'ip link set eth0 down; ip link set eth0 name eth5
		ip link set eth1 down; ip link set eth1 name eth0; ip link set eth0 up
		ip link set eth5 name eth1; ip link set eth1 up'
	is "$(addresses odd | paste -sd,)" eth1=10.77.1.2/24,eth0=10.77.2.2/24
	stave network disconnect net-b odd
	is "$(addresses odd)" eth1=10.77.1.2/24
	# the name is taken now: what has it stays
	run stave network connect net-b odd
	ended 1
	is "$(addresses odd)" eth1=10.77.1.2/24
	is "$(settings odd '{{len .NetworkSettings.Networks}}')" 1
	stave exec odd ip link delete eth1
	stave network disconnect net-a odd
	stave rm -f odd
	stave network rm net-a net-b
	nothing_left
}

@test "network connect and update: of several at once none is lost" {
	local i
	stave create --name still busybox true >/dev/null
	stave run -d --name runs busybox sleep "$MARK" >/dev/null
	for i in 1 2 3 4; do
		stave network create "net-$i" >/dev/null
	done
	for i in 1 2 3 4; do
		stave network connect "net-$i" still &
		stave network connect "net-$i" runs &
	done
	stave update --restart on-failure:3 still runs >/dev/null
	wait
	for i in still runs; do
		is "$(settings "$i" '{{.HostConfig.RestartPolicy.MaximumRetryCount}} {{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}')" \
			"3 bridge net-1 net-2 net-3 net-4 "
	done
	is "$(addresses runs | wc -l)" 5
	stave rm -f still runs
	stave network rm net-1 net-2 net-3 net-4
	nothing_left
}

@test "network connect, disconnect: of a container that runs" {
	local port
	port=$(free_port)
	stave network create net-a >/dev/null
	stave network create net-b >/dev/null
	stave run -d --name web -p "$port:80" busybox \
		sh -c "mkdir /www; echo web >/www/name; httpd -p 80 -h /www; exec sleep $MARK" >/dev/null
	is "$(ask "127.0.0.1:$port")" web
	hasnt "$(stave exec web cat /etc/resolv.conf)" 127.0.0.11
	stave network connect --alias www net-a web
	has "$(stave exec web cat /etc/resolv.conf)" "nameserver 127.0.0.11"
	is "$(addresses web | cut -d= -f1 | paste -sd,)" eth0,eth1
	is "$(stave exec web grep -c "$(stave inspect --format '{{slice .Id 0 12}}' web)" /etc/hosts)" 2
	is "$(stave run --rm --network net-a busybox wget -qO- http://www/name)" web
	is "$(settings web '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{$v.Aliases}} {{end}}')" \
		"bridge[] net-a[www] "
	has "$(stave network inspect --format '{{json .Containers}}' net-a)" '"Name":"web"'
	is "$(stave ps --format '{{.Names}} {{.Networks}}' --filter network=net-a)" "web bridge,net-a"
	is "$(stave ps -q --filter network=net-b)" ""
	# the port follows the default route
	is "$(ask "127.0.0.1:$port")" web
	stave network disconnect bridge web
	is "$(addresses web | cut -d= -f1)" eth1
	is "$(stave exec web grep -c "$(stave inspect --format '{{slice .Id 0 12}}' web)" /etc/hosts)" 1
	has "$(stave exec web ip route)" "dev eth1"
	is "$(ask "127.0.0.1:$port")" web
	# and what was changed is there again after the next start
	stave restart -t 0 web >/dev/null
	is "$(settings web '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{$v.Aliases}}{{end}}')" \
		"net-a[www]"
	is "$(stave run --rm --network net-a busybox sh -c 'sleep 0.3; wget -qO- http://www/name')" web
	stave network disconnect net-a web
	is "$(addresses web)" ""
	is "$(stave ps --format '{{.Ports}}')" ""
	no_answer "127.0.0.1:$port"
	stave rm -f web >/dev/null
	stave network rm net-a net-b
	nothing_left
}

@test "network connect, disconnect: of one that does not run" {
	stave network create --subnet 10.77.3.0/24 net-a >/dev/null
	stave create --name box busybox sh -c 'ip -4 -o addr; nslookup other' >/dev/null
	stave network connect --ip 10.77.3.33 net-a box
	stave network disconnect bridge box
	is "$(settings box '{{json .NetworkSettings.Networks}}' | jq -r 'keys[]')" net-a
	is "$(settings box '{{.HostConfig.NetworkMode}}')" bridge
	stave run -d --name other --network net-a busybox sleep "$MARK" >/dev/null
	run stave start -a box
	has "$output" "inet 10.77.3.33/24"
	has "$output" "Name:	other"
	# a network that is gone when it starts
	stave rm -f other >/dev/null
	stave network rm net-a
	run stave start box
	ended 1
	has "$output" "network net-a not found"
	stave network disconnect net-a box || true
	nothing_left
}

@test "--link: an alias for this container alone; on the default bridge a line of hosts" {
	stave network create net-a >/dev/null
	stave run -d --name db --network net-a busybox sleep "$MARK" >/dev/null
	has "$(stave run --rm --network net-a --link db:base busybox nslookup base)" "Name:	base"
	run stave run --rm --network net-a busybox nslookup base
	hasnt "$output" "Name:"
	run stave run --rm --link db:base busybox true
	ended 125
	has "$output" "not attached to default bridge network"
	run stave run --rm --link nosuch busybox true
	ended 125
	has "$output" "could not get container for nosuch: No such container: nosuch"
	stave run -d --name old busybox sleep "$MARK" >/dev/null
	has "$(stave run --rm --link old:base busybox cat /etc/hosts)" "base $(stave inspect --format '{{slice .Id 0 12}}' old) old"
	run stave run --rm --link old:a:b busybox true
	ended 125
	has "$output" "bad format for links: old:a:b"
}

@test "networks: what does not go together, in Docker's words" {
	local words said
	stave network create net-a >/dev/null
	stave network create --subnet 10.77.4.0/24 net-s >/dev/null
	stave run -d --name up busybox sleep "$MARK" >/dev/null
	while IFS='|' read -r words said; do
		# shellcheck disable=SC2086
		run stave run --rm $words busybox true
		ended 125 || return 1
		has "$output" "$said" || return 1
	done <<-END
	--network net-a --network host|conflicting options: cannot attach both user-defined and non-user-defined network-modes
	--network none --network net-a|conflicting options: cannot attach both user-defined and non-user-defined network-modes
	--network bridge --network net-a|conflicting options: cannot attach both user-defined and non-user-defined network-modes
	--network net-a --network net-a|network "net-a" is specified multiple times
	--network net-a --network nosuch|network nosuch not found
	--network name=net-a,alias=x --network-alias y|conflicting options: cannot specify both --network-alias and per-network alias
	--network name=net-s,ip=10.77.4.8 --ip 10.77.4.9|conflicting options: cannot specify both --ip and per-network IPv4 address
	--network name=net-a,foo=1|invalid argument "name=net-a,foo=1" for "--network" flag: invalid field key foo
	--network alias=x|invalid argument "alias=x" for "--network" flag: network name/id is not specified
	--network name=net-a,gw-priority=x|invalid gw-priority (x): invalid syntax
	--network name=net-a,mac-address=x|x is not a valid mac address
	--network name=net-a,driver-opt=x|invalid key value pair format in driver options
	--network name=net-a,ip=10.0.0.9|user specified IP address is supported only when connecting to networks with user configured subnets
	--network net-s --ip6 fd00::1|user specified IP address is supported only when connecting to networks with user configured subnets
	--network net-s --ip 10.78.0.1|no configured subnet or ip-range contain the IP address 10.78.0.1
	--network net-s --ip x|invalid config for network net-s: invalid endpoint settings:
	--network net-s --ip x|invalid IPv4 address: x
	--network net-s --ip 10.77.4.1|Address already in use
	--ip 1.2.3.4|* user specified IP address is supported on user defined networks only
	--mac-address x|x is not a valid mac address
	--network host --link up|conflicting options: host type networking can't be used with links.
	--network container:up --link up|conflicting options: container type network can't be used with links.
	--network container:up -p 80:80|conflicting options: port publishing and the container type network mode
	--network container:up --hostname x|conflicting options: hostname and the network mode
	--network container:up --dns 1.1.1.1|conflicting options: dns and the network mode
	--network container:up --add-host a:1.1.1.1|conflicting options: custom host-to-IP mapping and the network mode
	--network container:up --expose 80|conflicting options: port exposing and the container type network mode
	END
	stave run -d --name hosted --network host busybox sleep "$MARK" >/dev/null
	stave run -d --name alone --network none busybox sleep "$MARK" >/dev/null
	while IFS='|' read -r words said; do
		# shellcheck disable=SC2086
		run stave network $words
		ended 1 || return 1
		has "$output" "$said" || return 1
	done <<-END
	connect net-a hosted|container sharing network namespace with another container or host cannot be connected to any other network
	connect net-a alone|container cannot be connected to multiple networks with one of the networks in private (none) mode
	connect host up|cannot connect container to host network - container must be created in host network mode
	connect none up|container cannot be connected to multiple networks with one of the networks in private (none) mode
	connect bridge up|endpoint with name up already exists in network bridge
	connect nosuch up|network nosuch not found
	connect net-a nosuch|No such container: nosuch
	connect --ip x net-a up|invalid IPv4 address: x
	disconnect net-a up|is not connected to network net-a
	disconnect host hosted|cannot disconnect container from host network - container was created in host network mode
	END
	stave network disconnect none alone
	stave network connect net-a alone
	has "$(addresses alone)" eth0=
}

@test "network connect: what fails leaves all as it was; a network's id is as good as its name" {
	local port id
	port=$(free_port)
	id=$(stave network create net-a)
	stave network create --internal net-i >/dev/null
	web first -p "$port:80"
	stave run -d --name box --network "${id:0:12}" busybox sleep "$MARK" >/dev/null
	is "$(settings box '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}')" net-a
	run stave network connect "$id" box
	ended 1
	has "$output" "endpoint with name box already exists in network net-a"
	# its port is taken when it comes to a network with a way in
	stave run -d --name late --network net-i -p "$port:80" busybox sleep "$MARK" >/dev/null
	run stave network connect net-a late
	ended 1
	has "$output" "Bind for 0.0.0.0:$port failed: port is already allocated"
	is "$(addresses late | cut -d= -f1)" eth0
	is "$(settings late '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}')" net-i
	stop_all
	stave network connect net-a late
	is "$(stave ps --format '{{.Ports}}' --filter name=late)" "0.0.0.0:$port->80/tcp, [::]:$port->80/tcp"
	stave network disconnect net-a late
	is "$(stave ps --format '{{.Ports}}' --filter name=late)" ""
}

@test "network connect: kill -9 of the monitor leaves nothing" {
	stave network create net-a >/dev/null
	stave run -d --name box busybox sleep "$MARK" >/dev/null
	stave network connect net-a box
	kill -9 "$(jq .monitor "$STAVE_ROOT"/containers/*/state.json)"
	settled gone
	is "$(stave network inspect --format '{{len .Containers}}' net-a)" 0
	stave network rm net-a
	stave rm box >/dev/null
	nothing_left
}
