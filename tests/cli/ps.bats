# SPDX-License-Identifier: Apache-2.0
# ps: which containers it shows, and how large they are.

load common

setup_file() {
	private_store
	am_root || return 0
	stave create --name old --network none -l kind=a -v "vol:/data" -v /etc:/host/etc busybox true >/dev/null
	stave create --name middle --network host --expose 7000/udp busybox sh -c 'exit 3' >/dev/null
	stave create --name new-1 busybox true >/dev/null
	stave start -a middle >/dev/null || true
}

setup() { common_setup; }

shown() { stave ps -a --format '{{.Names}}' "${@:2}" --filter "$1" | tr '\n' ' '; }

@test "--filter: before, since, volume, network, ancestor, name, is-task" {
	is "$(shown before=new-1)" "middle old "
	is "$(shown since=old)" "new-1 middle "
	is "$(shown since=old --filter before=new-1)" "middle "
	is "$(shown volume=vol)" "old "
	is "$(shown volume=/data)" "old "
	is "$(shown volume=/etc)" "old "
	is "$(shown volume=/host/etc)" "old "
	is "$(shown volume=/var)" ""
	is "$(shown network=none --filter network=host)" "middle old "
	is "$(shown network=bridge)" "new-1 "
	is "$(shown ancestor=busybox:latest)" "new-1 middle old "
	is "$(shown "ancestor=$(stave images -q busybox)")" "new-1 middle old "
	is "$(shown ancestor=nosuch)" ""
	is "$(shown 'name=^/?(old|mid.*)$')" "middle old "
	is "$(shown exited=3)" "middle "
	is "$(shown is-task=false)" "new-1 middle old "
	is "$(shown is-task=true)" ""
}

@test "--filter: what is wrong is said in Docker's words" {
	run stave ps --filter before=nosuch
	ended 1
	has "$output" "No such container: nosuch"
	run stave ps --filter status=gone
	ended 1
	has "$output" "invalid filter 'status=gone': invalid value for state (gone): must be one of created, running"
	run stave ps --filter publish=x
	ended 1
	has "$output" 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax'
	run stave ps --filter is-task=x
	ended 1
	has "$output" "invalid filter 'is-task=[x]'"
	run stave ps --filter nothing
	ended 125
	has "$output" "bad format of filter (expected name=value)"
}

@test "publish and expose are of containers that run" {
	is "$(shown expose=7000/udp)" ""
	stave run -d --name serving --network none --expose 7001-7002 busybox sleep "$MARK" >/dev/null
	is "$(shown expose=7002)" "serving "
	is "$(shown expose=7000-7001/tcp)" "serving "
	is "$(shown expose=7002/udp)" ""
	is "$(shown publish=7002)" ""
	stave rm -f serving >/dev/null
}

@test "--size: what was written, and all of it" {
	local image
	image=$(stave inspect --format '{{.Size}}' busybox)
	stave run --name writer --network none busybox sh -c 'printf 12345 >/f; ln /f /g; rm /bin/vi'
	has "$(stave ps -s -l)" "5B (virtual "
	is "$(stave ps -a --filter name=writer --format '{{.Size}}' --size=false)" 0B
	has "$(stave ps -a --filter name=writer --format '{{.Size}}')" "5B (virtual "
	hasnt "$(stave ps -a)" SIZE
	is "$(stave inspect -s --format '{{.SizeRw}} {{.SizeRootFs}}' writer)" "5 $((image + 5))"
	stave rm writer >/dev/null
}
