# SPDX-License-Identifier: Apache-2.0
# Containers in the foreground.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
}

sh_in() { stave run --rm --network none "$@"; }

@test "exit codes: the container's, 125, 126, 127" {
	run sh_in busybox true
	ended 0
	run sh_in busybox sh -c 'exit 3'
	ended 3
	run sh_in busybox sh -c 'sleep 5 & kill -9 $!; wait $!'
	ended 137
	run sh_in busybox nosuchprogram
	ended 127
	has "$output" 'exec: "nosuchprogram": executable file not found in $PATH'
	run sh_in busybox /etc/passwd
	ended 126
	has "$output" "permission denied"
	run sh_in nosuchimage true
	ended 125
	has "$output" "Unable to find image 'nosuchimage:latest' locally"
	run stave run --nope busybox
	ended 125
	nothing_left
}

@test "-e, --env-file, and what is in the environment anyway" {
	printf '# comment\nFROM_FILE=f\nOURS\nGONE\n' >"$ctx/env"
	OURS=o run sh_in -e A=1 -e "B=x y" --env-file "$ctx/env" busybox env
	ended 0
	has "$output" $'A=1\n'
	has "$output" $'B=x y\n'
	has "$output" $'FROM_FILE=f\n'
	has "$output" $'OURS=o\n'
	hasnt "$output" GONE
	has "$output" "HOME=/root"
	has "$output" "PATH=/usr/local/sbin"
	hasnt "$output" STAVE_ROOT
}

@test "-w, -u, --hostname, --entrypoint" {
	is "$(sh_in -w /new/dir busybox pwd)" /new/dir
	is "$(sh_in -u app busybox id -u)" 1000
	is "$(sh_in -u app busybox id -G)" "1000 50"
	is "$(sh_in -u 7:8 busybox sh -c 'id -u; id -g' | tr '\n' ' ')" "7 8 "
	run sh_in -u nosuch busybox true
	ended 125
	has "$output" "unable to find user nosuch"
	is "$(sh_in --hostname box busybox hostname)" box
	is "$(sh_in --entrypoint echo busybox words)" words
}

@test "ENTRYPOINT x CMD, cell by cell" {
	local entry cmd want
	while IFS='|' read -r entry cmd want; do
		printf 'FROM busybox\n%s\n%s\n' "$entry" "$cmd" >"$ctx/Dockerfile"
		build
		run sh_in t
		is "$output" "$want"
	done <<-'END'
	ENTRYPOINT echo shell||shell
	ENTRYPOINT echo shell|CMD ["a","b"]|shell
	ENTRYPOINT echo shell|CMD a b|shell
	ENTRYPOINT ["echo","exec"]||exec
	ENTRYPOINT ["echo","exec"]|CMD ["a","b"]|exec a b
	ENTRYPOINT ["echo","exec"]|CMD a b|exec /bin/sh -c a b
	|CMD ["echo","a"]|a
	|CMD echo b|b
	END
	printf 'FROM busybox\n' >"$ctx/Dockerfile"
	build
	run sh_in t
	ended 125
	has "$output" "no command specified"
	printf 'FROM busybox\nENTRYPOINT ["echo","exec"]\nCMD ["a"]\n' >"$ctx/Dockerfile"
	build
	is "$(sh_in t over ridden)" "exec over ridden"
}

@test "-i: standard input to its end; without it there is none" {
	is "$(printf 'one\ntwo\n' | sh_in -i busybox cat)" $'one\ntwo'
	is "$(echo lost | sh_in busybox cat)" ""
	is "$(head -c 3000000 /dev/zero | sh_in -i busybox wc -c)" 3000000
}

@test "standard output and standard error stay apart" {
	sh_in busybox sh -c 'echo out; echo err >&2' >"$ctx/out" 2>"$ctx/err"
	is "$(cat "$ctx/out")" out
	is "$(cat "$ctx/err")" err
}

@test "-t: a terminal of its own, with the size of ours" {
	run script -qec "stty rows 33 cols 99; stave run --rm --network none -it busybox sh -c 'test -t 0 && stty size'" /dev/null
	ended 0
	has "$output" "33 99"
	run sh_in -it busybox true </dev/null
	differ "$status" 0
	has "$output" "TTY"
}

@test "signals reach the container" {
	stave run --rm --network none busybox sh -c \
		'trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.1; done' >"$ctx/log" &
	local pid=$! code=0
	settled grep -q ready "$ctx/log"
	kill -TERM $pid
	wait $pid || code=$?
	is "$code" 9
	has "$(cat "$ctx/log")" term
	nothing_left
}

@test "-v: both directions, read-only, a missing directory is made" {
	mkdir "$ctx/share"
	echo host >"$ctx/share/file"
	sh_in -v "$ctx/share:/mnt/in" busybox sh -c 'cat /mnt/in/file; echo back > /mnt/in/new' >"$ctx/out"
	is "$(cat "$ctx/out")" host
	is "$(cat "$ctx/share/new")" back
	run sh_in -v "$ctx/share:/x:ro" busybox touch /x/no
	differ "$status" 0
	has "$output" "Read-only"
	sh_in -v "$ctx/made/deep:/x" busybox touch /x/yes
	[ -e "$ctx/made/deep/yes" ]
}

@test "--read-only, --tmpfs" {
	run sh_in --read-only busybox touch /x
	differ "$status" 0
	has "$output" "Read-only"
	is "$(sh_in --read-only --tmpfs /t:size=1m busybox sh -c 'echo in > /t/x; cat /t/x')" in
	run sh_in --tmpfs /t:size=1m busybox dd if=/dev/zero of=/t/big bs=64k count=32
	differ "$status" 0
}

@test "capabilities and system calls are Docker's" {
	run sh_in busybox grep -E 'Cap(Eff|Bnd|Inh|Amb)|Seccomp:|NoNewPrivs' /proc/self/status
	has "$output" $'CapEff:\t00000000a80425fb'
	has "$output" $'CapBnd:\t00000000a80425fb'
	has "$output" $'CapInh:\t0000000000000000'
	has "$output" $'Seccomp:\t2'
	run sh_in --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status
	has "$output" 0000000000000001
	run sh_in busybox mount -t tmpfs none /tmp
	differ "$status" 0
	run sh_in busybox sh -c 'mknod /sda b 8 0 && cat /sda'
	differ "$status" 0
	run sh_in --cap-add NOPE busybox true
	ended 125
}

@test "the kernel's files are masked, nothing of ours is inherited" {
	is "$(sh_in busybox sh -c 'cat /proc/kcore | wc -c')" 0
	run sh_in busybox sh -c 'echo 1 > /proc/sysrq-trigger'
	differ "$status" 0
	# 3 is the directory that ls reads
	is "$(exec 9</etc/passwd; sh_in busybox ls /proc/self/fd | tr '\n' ' ')" "0 1 2 3 "
}

@test "limits: memory, processes; the group is gone afterwards" {
	run sh_in --memory 16m busybox sh -c 'x=$(head -c 100000000 /dev/zero | tr "\0" x)'
	ended 137
	run sh_in --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
	has "$output" "can't fork"
	run sh_in --memory 1m busybox true
	ended 125
	has "$output" "Minimum memory limit"
	nothing_left
}

@test "--init reaps and passes the code on" {
	run sh_in --init busybox sh -c '(sleep 0.1 &) ; sleep 0.4; ps -o stat | grep -c Z; exit 4'
	ended 4
	has "$output" 0
}

@test "--network none: loopback alone" {
	run sh_in busybox ip -o addr
	has "$output" "127.0.0.1"
	hasnt "$output" eth0
}

@test "the default network: an address, a way out, not the host's" {
	run stave run --rm busybox sh -c 'ip -o -4 addr show eth0; ip route; cat /etc/hosts /etc/resolv.conf'
	ended 0
	has "$output" "default via"
	has "$output" nameserver
	differ "$(stave run --rm busybox readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
	# the gateway answers
	run stave run --rm busybox sh -c 'ping -c 1 -W 2 $(ip route | sed -n "s/default via \([^ ]*\).*/\1/p")'
	ended 0
	nothing_left
}

@test "two containers reach each other on the bridge" {
	stave run --rm --name server busybox sh -c \
		"ip -o -4 addr show eth0 | sed 's/.*inet \([^/]*\).*/\1/'; echo hello | timeout 10 nc -l -p 8080" \
		>"$ctx/log" &
	local pid=$!
	settled grep -q . "$ctx/log"
	run stave run --rm busybox sh -c "for i in 1 2 3 4 5; do timeout 2 nc $(cat "$ctx/log") 8080 </dev/null && exit; sleep 0.3; done"
	has "$output" hello
	wait $pid || true
}

@test "--network host: ours" {
	is "$(stave run --rm --network host busybox readlink /proc/self/ns/net)" \
		"$(readlink /proc/self/ns/net)"
}

@test "df and mount show file systems by their names; what is in memory has an end" {
	run stave run --rm busybox df
	has "$output" overlay
	hasnt "$output" none
	run stave run --rm busybox sh -c 'dd if=/dev/zero of=/etc/hosts bs=1M count=80 || echo full'
	has "$output" full
}

@test "a format with a field that is not there is an error without containers, too" {
	run stave --root "$BATS_TEST_TMPDIR/none" ps --format '{{.Foo}}'
	ended 1
	has "$output" "can't evaluate field Foo in type *formatter.ContainerContext"
	is "$(stave --root "$BATS_TEST_TMPDIR/none" ps --format '{{.ID}}')" ""
}

@test "--rm leaves nothing; without it ps -a shows it and rm takes it away" {
	sh_in --name gone busybox true
	hasnt "$(stave ps -a)" gone
	stave run --network none --name kept busybox sh -c 'echo x > /made; exit 5' || true
	run stave ps -a
	has "$output" kept
	has "$output" "Exited (5)"
	run stave run --network none --name kept busybox true
	ended 125
	has "$output" "already in use"
	run stave rmi busybox
	ended 1
	stave rm kept
	hasnt "$(stave ps -a)" kept
	nothing_left
}

@test "nothing of the scaffolding is in what the container wrote" {
	stave run --network none --name upper busybox touch /only
	local dir
	dir=$STAVE_ROOT/containers/$(stave ps -aq --no-trunc --filter name=upper)/fs
	is "$(find "$dir" -mindepth 1 -printf '%P ')" "only "
	stave rm upper
	printf 'FROM busybox\nRUN touch /only\n' >"$ctx/Dockerfile"
	build
	is "$(find "$STAVE_ROOT"/layers/*/fs -maxdepth 1 -name only -printf '%h\n' | xargs -I{} find {} -mindepth 1 -printf '%P ')" "only "
}

@test "kill -9 of the command ends the container" {
	stave run --rm --network none busybox sh -c "echo up; sleep $MARK" >"$ctx/log" &
	local pid=$!
	settled grep -q up "$ctx/log"
	kill -9 $pid
	wait $pid || true
	nothing_left
}

@test "--runtime crun runs the same bundle" {
	command -v crun >/dev/null || skip "crun is not installed"
	is "$(stave run --rm --network none --runtime crun busybox echo other)" other
}
