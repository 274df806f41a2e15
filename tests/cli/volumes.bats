# SPDX-License-Identifier: Apache-2.0
# Volumes: made, filled, shared, held and removed.

load common

setup_file() {
	private_store
	am_root || return 0
	local ctx=$BATS_FILE_TMPDIR/image
	mkdir -p "$ctx"
	cat >"$ctx/Dockerfile" <<-'E'
		FROM busybox
		RUN mkdir -p /v/d && echo kept >/v/f && ln -s f /v/l && ln /v/f /v/h && \
			chown -R 5:6 /v && chown -h 7:8 /v/l && chmod 2750 /v && chmod 1600 /v/d && \
			touch -d @1000000000 /v/f /v
		RUN mkdir /etc/links && ln -s /v /etc/links/v && ln -s /../../../../v /etc/links/up
		VOLUME /v /not/there
	E
	stave build -q -t img "$ctx" >/dev/null
}

setup() {
	common_setup
	watch_machine
}

teardown() {
	[ -n "${STAVE_ROOT-}" ] || return 0
	stave ps -aq | xargs -r stave rm -fv >/dev/null
	stave volume ls -q | xargs -r stave volume rm >/dev/null
}

# WORDS...: a command that comes true within ten seconds
wait_for() {
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

run_in() { stave run --network none "$@"; }
data() { echo "$STAVE_ROOT/volumes/$1/_data"; }

@test "create, ls, inspect, rm: Docker's words and shapes" {
	is "$(stave volume create --label x=y --label z data)" data
	is "$(stave volume create --label other=1 data)" data
	is "$(stave volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=9 mem)" mem
	is "$(stave volume ls)" $'DRIVER    VOLUME NAME\nlocal     data\nlocal     mem'
	is "$(stave volume ls -q -f name=at)" data
	is "$(stave volume ls -q -f label=x=y -f label=z)" data
	is "$(stave volume ls -q -f label=x=z)" ""
	is "$(stave volume ls -q -f driver=other)" ""
	is "$(stave volume ls -f name=data --format '{{.Driver}} {{.Labels}} {{.Links}}')" \
		"local x=y,z= N/A"
	is "$(stave volume ls -f name=data --format json | jq -c .)" \
		"{\"Availability\":\"N/A\",\"Driver\":\"local\",\"Group\":\"N/A\",\"Labels\":\"x=y,z=\",\"Links\":\"N/A\",\"Mountpoint\":\"$(data data)\",\"Name\":\"data\",\"Scope\":\"local\",\"Size\":\"N/A\",\"Status\":\"N/A\"}"
	is "$(stave volume inspect data | jq -c '.[0] | del(.CreatedAt)')" \
		"{\"Driver\":\"local\",\"Labels\":{\"x\":\"y\",\"z\":\"\"},\"Mountpoint\":\"$(data data)\",\"Name\":\"data\",\"Options\":null,\"Scope\":\"local\"}"
	[[ $(stave volume inspect -f '{{.CreatedAt}}' data) =~ ^[0-9-]{10}T[0-9:]{8}Z$ ]]
	is "$(stave inspect -f '{{json .Options}}' mem)" '{"device":"tmpfs","o":"size=1m,uid=9","type":"tmpfs"}'
	is "$(stave inspect --type volume -f '{{.Name}}' data)" data
	is "$(stave volume rm data mem)" $'data\nmem'
	is "$(stave volume ls)" "DRIVER    VOLUME NAME"
	nothing_left
}

@test "one without a name is anonymous" {
	name=$(stave volume create)
	[[ $name =~ ^[0-9a-f]{64}$ ]]
	is "$(stave volume inspect -f '{{json .Labels}}' "$name")" '{"com.docker.volume.anonymous":""}'
}

@test "wrong names, drivers and options are refused" {
	local text
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086
		run stave volume create $words
		ended 1
		has "$output" "$text"
	done <<-'E'
		a/b|create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed.
		a|create a: volume name is too short, names should be at least two alphanumeric characters
		-d foo vol|create vol: error looking up volume plugin foo: plugin "foo" not found
		-o foo=bar vol|create vol: invalid option: "foo"
		-o type=tmpfs vol|create vol: missing required option: "device"
		-o size=1g vol|create vol: quota size requested but no quota support
	E
	run stave volume inspect nosuch
	ended 1
	is "$output" $'[]\nstave: get nosuch: no such volume'
	run stave volume rm nosuch
	ended 1
	has "$output" "get nosuch: no such volume"
	is "$(stave volume rm -f nosuch)" nosuch
	run stave volume ls -f foo=1
	ended 1
	has "$output" "invalid filter 'foo'"
	is "$(stave volume ls -q)" ""
}

@test "an empty volume gets the image's files, with owners, modes, times and links" {
	run_in --rm -v data:/v img true
	is "$(stat -c '%u:%g %a' "$(data data)")" "5:6 2750"
	is "$(cd "$(data data)" && stat -c '%n %u:%g %a %F %Y' f h d l | sed '$s/ [0-9]*$//;3s/ [0-9]*$//')" \
		"$(printf '%s\n' 'f 5:6 644 regular file 1000000000' 'h 5:6 644 regular file 1000000000' \
			'd 5:6 1600 directory' 'l 7:8 777 symbolic link')"
	is "$(stat -c %i "$(data data)/f")" "$(stat -c %i "$(data data)/h")"
	is "$(readlink "$(data data)/l")" f
	is "$(cat "$(data data)/f")" kept
	is "$(ls -A "$STAVE_ROOT/volumes/data")" _data
	# no second time, and no mixture
	rm "$(data data)"/*[fhl]
	run_in --rm -v data:/v img true
	is "$(ls "$(data data)")" d
	# not when it is not wanted
	run_in --rm -v no:/v:nocopy img true
	is "$(ls "$(data no)")" ""
	run_in --rm --mount type=volume,src=no,dst=/v,volume-nocopy img true
	is "$(ls "$(data no)")" ""
	nothing_left
}

@test "a destination is inside the container, wherever the image's links lead" {
	mkdir -p "$BATS_TEST_TMPDIR/host"
	run_in --rm -v one:/etc/links/v img true
	is "$(cat "$(data one)/f")" kept
	run_in --rm -v two:/etc/links/up img sh -c 'echo new >/v/x'
	is "$(cat "$(data two)/x")" new
	[ ! -e /v/x ]
	run run_in --rm -v three:/bin/busybox img true
	ended 125
	has "$output" "cannot mount volume over existing file, file exists /bin/busybox"
	nothing_left
}

@test "what is written stays, and is there for the next container" {
	run_in --rm -v data:/x busybox sh -c 'echo 1 >/x/f'
	is "$(run_in --rm -v data:/y:ro busybox cat /y/f)" 1
	run run_in --rm -v data:/y:ro busybox touch /y/g
	ended 1
	has "$output" "Read-only file system"
	run run_in --rm --mount type=volume,src=data,dst=/y,readonly busybox touch /y/g
	ended 1
	is "$(run_in --rm --mount src=data,dst=/y busybox cat /y/f)" 1
}

@test "exec, update, top and a health check of a container with volumes" {
	stave run -d --network none --name vv -v data:/data -v /nameless --health-cmd 'test -d /data' \
		--health-interval 100ms busybox sleep "$MARK" >/dev/null
	stave exec vv sh -c 'echo x >/data/f'
	is "$(stave exec vv cat /data/f)" x
	is "$(stave update --pids-limit 50 vv)" vv
	has "$(stave top vv)" "sleep $MARK"
	settled eval '[ "$(stave inspect --format "{{.State.Health.Status}}" vv)" = healthy ]'
	stave rm -f -v vv
	stave volume rm data
}

@test "VOLUMEs of the image: anonymous, made where they are not, below a read-only root" {
	is "$(run_in --read-only --rm img sh -c 'echo x >/v/new; echo y >/not/there/y; cat /v/f /v/new /not/there/y' | tr '\n' ' ')" \
		"kept x y "
	is "$(stave volume ls -q)" ""
	run_in --name one img true
	is "$(stave volume ls -q | wc -l)" 2
	is "$(stave inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Driver}} {{.Mode}} {{.RW}} {{.Propagation}};{{end}}' one)" \
		"volume /not/there local  true ;volume /v local  true ;"
	is "$(stave ps -a --format '{{.LocalVolumes}}')" 2
	# the upper directory has nothing of it
	is "$(stave diff one | grep -c '/v/' || true)" 0
	stave rm one
	is "$(stave volume ls -qf dangling=true | wc -l)" 2
	stave volume prune -f | grep -q '^Deleted Volumes:'
	is "$(stave volume ls -q)" ""
	# options come first
	run_in --name two -v mine:/v --tmpfs /not/there img true
	is "$(stave volume ls -q)" mine
	nothing_left
}

@test "rm -v removes what has no name, and only when nobody else has it" {
	run_in --name one -v mine:/m -v /anon img true
	run_in --name two --volumes-from one busybox true
	is "$(stave volume ls -q | wc -l)" 4
	stave rm -v one
	is "$(stave volume ls -q | wc -l)" 4
	stave rm -v two
	is "$(stave volume ls -q)" mine
}

@test "one in use is never removed, and its containers are named" {
	run_in --name one -v data:/d busybox true
	id=$(stave inspect -f '{{.Id}}' one)
	for words in "rm data" "rm -f data"; do
		# shellcheck disable=SC2086
		run stave volume $words
		ended 1
		has "$output" "remove data: volume is in use - [$id]"
	done
	stave volume prune -af
	is "$(stave volume ls -q)" data
	# the container goes; what has a name stays
	has "$(stave system prune -f --volumes)" "$id"
	is "$(stave volume ls -q)" data
	is "$(stave volume ls -q -f dangling=true)" data
}

@test "prune: anonymous ones, or all; labels" {
	stave volume create --label keep=1 kept
	stave volume create free
	anonymous=$(stave volume create)
	is "$(stave volume prune -f | head -2 | tail -1)" "$anonymous"
	is "$(stave volume ls -q)" $'free\nkept'
	has "$(stave volume prune -af --filter label!=keep)" $'Deleted Volumes:\nfree\n\nTotal reclaimed space: '
	is "$(stave volume ls -q)" kept
	run stave volume prune -f --filter until=1h
	ended 1
	has "$output" "invalid filter 'until'"
	is "$(echo n | stave volume prune -a)" \
		$'WARNING! This will remove all local volumes not used by at least one container.\nAre you sure you want to continue? [y/N] '
	anonymous=$(stave volume create)
	has "$(stave system prune -f --volumes)" "Deleted Volumes:
$anonymous"
	is "$(stave volume ls -q)" kept
}

@test "--volumes-from: all mounts, one's own first, ro" {
	mkdir "$ctx/b"
	run_in --name one -v data:/d -v /anon -v "$ctx/b:/b" busybox sh -c 'echo 1 >/d/f; echo 2 >/anon/f; echo 3 >/b/f'
	is "$(run_in --rm --volumes-from one busybox cat /d/f /anon/f /b/f | tr '\n' ' ')" "1 2 3 "
	run run_in --rm --volumes-from one:ro -v other:/d busybox sh -c 'ls /d; touch /anon/x /b/x'
	ended 1
	is "$(grep -c 'Read-only file system' <<<"$output")" 2
	run run_in --rm --volumes-from nosuch busybox true
	ended 125
	has "$output" "No such container: nosuch"
	run run_in --rm --volumes-from one:foo busybox true
	ended 125
	has "$output" "invalid mode: foo"
}

@test "--mount: bind, tmpfs, volume with options" {
	mkdir "$ctx/b"
	echo here >"$ctx/b/f"
	is "$(run_in --rm --mount "type=bind,source=$ctx/b,target=/b,readonly" busybox cat /b/f)" here
	is "$(cd "$ctx" && run_in --rm --mount type=bind,src=./b,dst=/b busybox cat /b/f)" here
	has "$(run_in --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 busybox sh -c 'mount | grep " /t "; stat -c %a /t')" \
		"size=1024k"
	is "$(run_in --rm --mount type=tmpfs,dst=/t,tmpfs-mode=1770 busybox stat -c %a /t)" 1770
	run_in --rm --mount "type=bind,src=$ctx/new/dir,dst=/b,bind-create-src" busybox true
	[ -d "$ctx/new/dir" ]
	run_in --rm --mount "type=volume,src=vol,dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=$ctx/b,volume-label=a=b" \
		busybox sh -c 'echo there >>/x/f'
	is "$(cat "$ctx/b/f")" $'here\nthere'
	is "$(stave volume inspect -f '{{json .Labels}}' vol)" '{"a":"b"}'
	stave volume create -o type=tmpfs -o device=tmpfs -o o=size=2m,mode=711 mem
	is "$(run_in --rm -v mem:/x busybox sh -c 'stat -c %a /x; mount | grep -o " /x .*size=2048k"' | head -1)" 711
	nothing_left
}

@test "--mount and -v: what is wrong is said in Docker's words, and nothing is made" {
	local text
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086
		run run_in --rm $words busybox true
		ended 125
		has "$output" "$text"
	done <<-'E'
		--mount type=bind,src=/nosuch,dst=/x|invalid mount config for type "bind": bind source path does not exist: /nosuch
		--mount type=bind,src=nosuch,dst=/x|invalid mount config for type "bind": invalid mount path: 'nosuch' mount path must be absolute
		--mount type=bind,dst=/x|invalid mount config for type "bind": field Source must not be empty
		--mount type=foo,dst=/x|invalid mount config for type "foo": mount type unknown
		--mount type=volume|invalid argument "type=volume" for "--mount" flag: target is required
		--mount dst=x|invalid mount config for type "volume": invalid mount path: 'x' mount path must be absolute
		--mount foo=x,dst=/x|invalid argument "foo=x,dst=/x" for "--mount" flag: unexpected key 'foo' in 'foo=x'
		--mount type|invalid argument "type" for "--mount" flag: invalid field 'type' must be a key=value pair
		--mount type=bind,src=/tmp,dst=/x,readonly=maybe|invalid value for readonly: maybe
		--mount type=bind,src=/tmp,dst=/x,volume-nocopy|cannot mix 'volume-*' options with mount type 'bind'
		--mount type=volume,dst=/x,tmpfs-size=1|cannot mix 'tmpfs-*' options with mount type 'volume'
		--mount type=volume,dst=/x,bind-propagation=rslave|cannot mix 'bind-*' options with mount type 'volume'
		--mount type=volume,src=a/b,dst=/x|create a/b: "a/b" includes invalid characters for a local volume name
		--mount type=volume,src=vol,dst=/|invalid mount config for type "volume": invalid specification: destination can't be '/'
		--mount type=bind,src=/tmp,dst=/x,bind-propagation=foo|invalid mount config for type "bind": invalid propagation mode: foo
		--mount type=tmpfs,dst=/x,tmpfs-size=foo|invalid value for tmpfs-size: foo
		--mount type=tmpfs,dst=/x,tmpfs-mode=999|invalid value for tmpfs-mode: 999
		--mount type=tmpfs,src=/a,dst=/x|invalid mount config for type "tmpfs": field Source must not be specified
		-v vol:/x -v /tmp:/x|Duplicate mount point: /x
		--tmpfs /x -v vol:/x|Duplicate mount point: /x
		-v vol:/x:foo|invalid mode: foo
		-v vol:/x:ro,rw|invalid mode: ro,rw
		-v vol:x|invalid volume specification: 'vol:x': invalid mount config for type "volume": invalid mount path: 'x' mount path must be absolute
		-v vol:/x:rslave|field BindOptions must not be specified
		-v a/b:/x|includes invalid characters for a local volume name
	E
	is "$(stave volume ls -q)" ""
	is "$(stave ps -aq)" ""
	nothing_left
}

@test "a killed command leaves no half-filled volume and no nameless one" {
	local pid
	run_in --rm -v big:/v img true
	rm -r "$(data big)"/*
	# what a kill between copying and moving leaves, and one before
	mkdir "$STAVE_ROOT/volumes/big/.fill" "$STAVE_ROOT/volumes/big/.filling"
	echo whole >"$STAVE_ROOT/volumes/big/.fill/f"
	chown 3:4 "$STAVE_ROOT/volumes/big/.fill"
	is "$(run_in --rm -v big:/v img ls /v)" f
	is "$(cat "$(data big)/f")" whole
	is "$(stat -c %u:%g "$(data big)")" 3:4
	is "$(ls -A "$STAVE_ROOT/volumes/big")" _data
	stave run --network none --rm -v /a -v big:/v img sleep 30 3>&- &
	pid=$!
	wait_for sh -c '[ "$(stave ps -q | wc -l)" = 1 ]'
	is "$(stave volume ls -q | wc -l)" 3
	kill -9 "$pid"
	wait "$pid" || true
	wait_for sh -c '[ "$(stave volume ls -q)" = big ]'
	nothing_left
}

@test "system df and check know volumes" {
	run_in --name one -v data:/d busybox dd if=/dev/zero of=/d/f bs=1M count=2
	stave volume create idle
	is "$(stave system df --format '{{.Type}} {{.TotalCount}} {{.Active}}' | grep Vol)" "Local Volumes 2 1"
	has "$(stave system df -v)" "$(printf 'data          1         2.1')"
	stave system check
	rm -r "$STAVE_ROOT/volumes/idle"
	run stave system check
	ended 1
	has "$output" "volume idle: its directory is gone"
	stave system check --repair
	stave volume rm idle
}

@test "RUN on a VOLUME path of the base still writes to the image" {
	dockerfile <<-'E'
		FROM img
		RUN echo more >/v/more
	E
	build
	is "$(in_t cat /v/more)" more
}
