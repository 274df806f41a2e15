# SPDX-License-Identifier: Apache-2.0
#
# Command lines that guides to Docker print about containers, typed as they
# print them, with stave under the name "docker": at a terminal where they are
# meant for one.  guide_images.bats has those about images.

load common
load guest

setup_file() {
	private_store
	am_root || return 0
	mkdir -p "$BATS_FILE_TMPDIR/bin"
	printf '#!/bin/sh\nexec stave "$@"\n' >"$BATS_FILE_TMPDIR/bin/docker"
	chmod 755 "$BATS_FILE_TMPDIR/bin/docker"
	export PATH=$BATS_FILE_TMPDIR/bin:$PATH
	make_ubuntu
	make_app
}

# An "ubuntu" that has a real bash, whose CMD it is.
make_ubuntu() {
	add_programs "$BATS_FILE_TMPDIR/ubuntu" /bin/bash
	printf 'FROM busybox\nCOPY . /\nCMD ["/bin/bash"]\n' |
		stave build -q -t ubuntu:latest -f - "$BATS_FILE_TMPDIR/ubuntu" >/dev/null
}

# The guide's app: it listens on port 3000 and says what /app/answer has.
make_app() {
	local ctx=$BATS_FILE_TMPDIR/app
	mkdir -p "$ctx"
	echo "from the image" >"$ctx/answer"
	cat >"$ctx/app.sh" <<-'E'
	#!/bin/sh
	trap 'echo "the app ends"; exit 0' INT TERM
	httpd -f -p 3000 -h /app &
	echo "listening on 3000"
	while :; do wait; done
	E
	chmod 755 "$ctx/app.sh"
	printf 'FROM ubuntu\nWORKDIR /app\nCOPY . /app\nEXPOSE 3000\nCMD ["/app/app.sh"]\n' |
		stave build -q -t image-name:tag -f - "$ctx" >/dev/null
}

setup() {
	common_setup
	cd "$ctx" || return
	watch_machine
}

teardown() {
	am_root || return 0
	close_terminal
	docker rm -f $(docker ps -aq) >/dev/null 2>&1 || true
}

matches() {
	[[ $1 =~ $2 ]] || {
		printf 'pattern: %s\nin:      %s\n' "$2" "$1"
		return 1
	}
}

needs_terminal() { command -v tmux >/dev/null || skip "tmux is missing"; }

# 8000 is what the guide says; on a machine where somebody has it, another one.
host_port() {
	port=8000
	command -v nft >/dev/null || skip "nft is missing"
	while [ -n "$(ss -Hltn "sport = :$port")" ]; do port=$((port + 1)); done
}

# What the app says, once it does.
answer() {
	local i
	for i in $(seq 50); do
		curl -sf --max-time 3 "http://localhost:$port/answer" && return 0
		sleep 0.1
	done
	return 1
}

state() { docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1"; }

id_pattern='[0-9a-f]{12}'

@test "guide: the table of ENTRYPOINT and CMD, cell by cell" {
	local program entry cmd want path
	for program in exec_entry exec_cmd p1_cmd; do
		printf '#!/bin/sh\necho "${0##*/} $*"\n' >"$program"
		chmod 755 "$program"
	done
	# ENTRYPOINT | CMD | what runs (its path and arguments) | what it says
	while IFS='|' read -r entry cmd want path; do
		printf 'FROM busybox\nCOPY . /bin/\n%s\n%s\n' "$entry" "$cmd" |
			docker build -q -t cell -f - . >/dev/null
		docker rm cell >/dev/null 2>&1 || true
		run docker run --network none --name cell cell
		ended 0
		is "$output" "$want"
		is "$(docker inspect --format '{{.Path}}{{range .Args}},{{.}}{{end}}' cell)" "$path"
	done <<-'E'
	|CMD ["exec_cmd", "p1_cmd"]|exec_cmd p1_cmd|exec_cmd,p1_cmd
	|CMD ["p1_cmd", "p2_cmd"]|p1_cmd p2_cmd|p1_cmd,p2_cmd
	|CMD exec_cmd p1_cmd|exec_cmd p1_cmd|/bin/sh,-c,exec_cmd p1_cmd
	ENTRYPOINT exec_entry p1_entry||exec_entry p1_entry|/bin/sh,-c,exec_entry p1_entry
	ENTRYPOINT exec_entry p1_entry|CMD ["exec_cmd", "p1_cmd"]|exec_entry p1_entry|/bin/sh,-c,exec_entry p1_entry,exec_cmd,p1_cmd
	ENTRYPOINT exec_entry p1_entry|CMD ["p1_cmd", "p2_cmd"]|exec_entry p1_entry|/bin/sh,-c,exec_entry p1_entry,p1_cmd,p2_cmd
	ENTRYPOINT exec_entry p1_entry|CMD exec_cmd p1_cmd|exec_entry p1_entry|/bin/sh,-c,exec_entry p1_entry,/bin/sh,-c,exec_cmd p1_cmd
	ENTRYPOINT ["exec_entry", "p1_entry"]||exec_entry p1_entry|exec_entry,p1_entry
	ENTRYPOINT ["exec_entry", "p1_entry"]|CMD ["exec_cmd", "p1_cmd"]|exec_entry p1_entry exec_cmd p1_cmd|exec_entry,p1_entry,exec_cmd,p1_cmd
	ENTRYPOINT ["exec_entry", "p1_entry"]|CMD ["p1_cmd", "p2_cmd"]|exec_entry p1_entry p1_cmd p2_cmd|exec_entry,p1_entry,p1_cmd,p2_cmd
	ENTRYPOINT ["exec_entry", "p1_entry"]|CMD exec_cmd p1_cmd|exec_entry p1_entry /bin/sh -c exec_cmd p1_cmd|exec_entry,p1_entry,/bin/sh,-c,exec_cmd p1_cmd
	E
	# the first cell: no CMD, no ENTRYPOINT is an error
	run docker run --network none busybox
	ended 125
	has "$output" "no command specified"
	# "CMD is overridden when running the container with alternative arguments"
	is "$(docker run --rm --network none cell other words)" "exec_entry p1_entry other words"
}

@test "guide: run -it --rm -p 8000:3000, at a terminal" {
	needs_terminal
	host_port
	open_terminal
	types "docker run -it --rm -p $port:3000 image-name:tag"
	shows '^listening on 3000'
	is "$(answer)" "from the image"
	run docker ps
	is "${#lines[@]}" 2
	matches "${lines[0]}" '^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$'
	matches "${lines[1]}" "^$id_pattern +image-name:tag +\"/app/app.sh\" +.* ago +Up .* +0.0.0.0:$port->3000/tcp.* +[a-z]+_[a-z]+[0-9]?$"
	presses C-c
	shows '^(\^C)?the app ends'
	shows '^host\$ *$'
	types 'echo "ended with $?"'
	shows '^ended with 0'
	# and it was removed
	is "$(docker ps -aq)" ""
	run curl -s --max-time 1 "http://localhost:$port/answer"
	differ "$status" 0
	nothing_left
}

@test "guide: the code of this directory inside, with -v" {
	needs_terminal
	host_port
	cp "$BATS_FILE_TMPDIR/app/app.sh" .
	echo "from this directory" >answer
	open_terminal
	types "docker run -it --rm -p $port:3000 -v \$(pwd):/app --name my_container image-name:tag"
	shows '^listening on 3000'
	is "$(answer)" "from this directory"
	# "update the code inside the container without having to rebuild the image"
	echo "changed meanwhile" >answer
	is "$(answer)" "changed meanwhile"
	docker exec my_container sh -c 'echo made inside >/app/made'
	is "$(cat made)" "made inside"
	docker stop my_container
	shows 'the app ends'
	is "$(docker ps -aq)" ""
}

@test "guide: exec -it … bash is a shell at a terminal" {
	needs_terminal
	docker run -d --network none --name works ubuntu sleep "$MARK"
	local id
	id=$(docker ps -q)
	matches "$id" "^$id_pattern$"
	open_terminal
	types "docker exec -it $id bash"
	shows 'bash-[0-9.]+# *$'
	wipes
	types 'tty; stty size; id -u; hostname'
	shows '^/dev/pts/0$'
	shows '^24 80$'
	shows "^$id$"
	# a program that sits at the terminal hears that the window changes
	wipes
	types 'trap "echo now \$(stty size)" WINCH; echo trap set'
	shows '^trap set'
	resizes 101 31
	shows '^(.*# )?now 31 101$'
	# ^C ends what runs in the foreground, not the shell; ^Z and fg: it has job control
	wipes
	types 'sleep 1000'
	settled eval 'docker top works | grep -q "sleep 1000"'
	presses C-c
	shows '\^C'
	types 'echo "code $?"'
	shows '^code 130'
	types "sleep 1000"
	settled eval 'docker top works | grep -q "sleep 1000"'
	presses C-z
	shows 'Stopped +sleep 1000'
	types fg
	shows 'fg$'
	presses C-c
	types 'exit 7'
	shows 'host\$ *$'
	types 'echo "ended with $?"'
	shows '^ended with 7'
	# what it typed is gone, the container goes on
	hasnt "$(docker top works)" bash
	is "$(state works)" "running 0"
}

@test "guide: a shell of a container is left with ^P ^Q and found again" {
	needs_terminal
	open_terminal
	types "docker run --name mlhub -it ubuntu:latest"
	shows 'bash-[0-9.]+# *$'
	types 'word=kept; stty size'
	shows '^24 80$'
	presses C-p C-q
	shows '^(.*# *)?(read escape sequence)?host\$ *$'
	is "$(state mlhub)" "running 0"
	resizes 90 30
	wipes
	types "docker attach mlhub"
	types ''
	shows 'bash-[0-9.]+# *$'
	types 'echo "it is $word"; stty size'
	shows '^it is kept$'
	shows '^30 90$'
	types 'echo hub >/mlhub; exit 5'
	shows 'host\$ *$'
	types 'echo "ended with $?"'
	shows '^ended with 5'
	is "$(state mlhub)" "exited 5"
	# the terminal is as it was: what is typed is shown, and a line is a line
	types 'stty -a | grep -o " icanon\| echo\| isig\| icrnl" | tr -d "\n"; echo'
	shows '^ (icrnl )?.*icanon'
	docker commit -m "Added mlhub" -a "mlhubber" mlhub mlhubber/mlhub:v2.0
	is "$(docker run --rm --network none mlhubber/mlhub:v2.0 cat /mlhub)" hub
}

@test "guide: start, stop, kill, logs, rm" {
	docker run -d --name my_container image-name:tag
	settled eval '[ "$(docker logs my_container)" = "listening on 3000" ]'
	local id
	id=$(docker ps -q)
	# "it gives it time to clean up before exiting"
	run docker stop "$id"
	ended 0
	is "$output" "$id"
	is "$(state "$id")" "exited 0"
	is "$(docker logs "$id")" $'listening on 3000\nthe app ends'
	run docker ps
	is "${#lines[@]}" 1
	matches "$(docker ps -a)" "$id +image-name:tag +\"/app/app.sh\" +.* ago +Exited \(0\) .* ago +my_container"
	run docker start "$id"
	is "$output" "$id"
	is "$(state "$id")" "running 0"
	# "it kills the container immediately"
	run docker kill "$id"
	is "$output" "$id"
	is "$(docker wait "$id")" 137
	is "$(state "$id")" "exited 137"
	is "$(docker logs "$id" | grep -c 'the app ends')" 1
	run docker rm "$id"
	is "$output" "$id"
	is "$(docker ps -aq)" ""
	run docker start "$id"
	ended 1
	has "$output" "No such container: $id"
	# "If you used --rm … you can't start it again since it was removed"
	docker run -d --rm --network none --name brief busybox sleep "$MARK"
	docker kill brief
	settled eval '[ -z "$(docker ps -aq)" ]'
	run docker start brief
	ended 1
	nothing_left
}

@test "guide: create now, start later" {
	run docker container create --network none --name later busybox echo "it runs"
	ended 0
	matches "$output" '^[0-9a-f]{64}$'
	matches "$(docker container ls -a)" 'busybox +"echo .it runs." +.* ago +Created +later'
	is "$(state later)" "created 0"
	run docker container start -a later
	ended 0
	is "$output" "it runs"
	is "$(docker create --network none busybox true | xargs docker start | wc -c)" 65
}

@test "guide: stop and remove all that there is" {
	local n
	for n in 1 2 3; do
		docker run -d --network none --stop-timeout 1 busybox sleep "$MARK" >/dev/null
	done
	docker run --network none busybox true
	local all
	all=$(docker ps -aq)
	is "$(wc -l <<<"$all")" 4
	run docker stop $(docker ps -aq)
	ended 0
	is "$output" "$all"
	is "$(docker ps -q)" ""
	run docker rm $(docker ps -aq)
	ended 0
	is "$output" "$all"
	run docker stop $(docker ps -aq)
	ended 1
	has "$output" "requires at least 1 argument"
	docker run -d --network none busybox sleep "$MARK" >/dev/null
	is "$(docker rm -f $(docker ps -aq) | wc -l)" 1
	nothing_left
}
