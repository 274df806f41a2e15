# SPDX-License-Identifier: Apache-2.0
# Looking at images, naming, importing and removing them.

load common

setup_file() {
	private_store
}

@test "images: columns, filter by name, -q, --format" {
	run stave images
	ended 0
	has "${lines[0]}" "REPOSITORY   TAG       IMAGE ID       CREATED"
	has "$output" busybox
	stave tag busybox other/name:v2
	run stave images --format '{{.Repository}}:{{.Tag}}' other/name
	is "$output" other/name:v2
	run stave images -q busybox
	[[ $output =~ ^[0-9a-f]{12}$ ]]
	run stave image ls --format 'table {{.Repository}}\t{{.Tag}}' busybox:latest
	is "${lines[0]}" "REPOSITORY   TAG"
	is "${lines[1]}" "busybox      latest"
	stave rmi other/name:v2
}

@test "tag: refuses what is no name; an id names an image too" {
	local id
	id=$(stave images -q --no-trunc busybox)
	stave tag "${id#sha256:}" byid
	is "$(stave images -q --no-trunc byid)" "$id"
	stave tag "${id:7:6}" byprefix:1
	run stave tag busybox UPPER
	ended 1
	run stave tag nosuch x
	ended 1
	has "$output" "No such image: nosuch:latest"
	stave rmi byid byprefix:1
}

@test "rmi: by name, by id, the last name takes the image" {
	printf 'FROM busybox\nLABEL n=1\n' >"$ctx/Dockerfile"
	stave build -q -t a -t b:2 "$ctx" >/dev/null
	local id
	id=$(stave images -q a)
	run stave rmi a
	is "$output" "Untagged: a:latest"
	stave tag b:2 c
	run stave rmi "$id"
	ended 1
	has "$output" "must be forced"
	run stave rmi -f "$id"
	ended 0
	has "$output" "Untagged: b:2"
	has "$output" "Deleted: sha256:"
	run stave rmi b:2
	ended 1
	has "$output" "No such image"
	store_is_clean
}

@test "history and inspect" {
	dockerfile <<-'END'
	FROM busybox
	RUN echo hello > /h
	ENV A=b
	CMD ["cat", "/h"]
	END
	build
	run stave history t
	has "${lines[0]}" "IMAGE"
	has "${lines[1]}" 'CMD ["cat" "/h"]'
	has "$output" "<missing>"
	has "$output" "RUN /bin/sh -c echo hello > /h # buildkit"
	is "$(stave history -q --no-trunc t | head -1)" "$(config '{{.Id}}')"
	is "$(config '{{json .Config.Cmd}}')" '["cat","/h"]'
	is "$(config '{{.RootFS.Type}} {{len .RootFS.Layers}}')" "layers 2"
	run stave inspect nosuch
	ended 1
	has "$output" "[]"
}

@test "import: a file, standard input, -m and -c" {
	tar -C "$BATS_FILE_TMPDIR/base" -cf "$ctx/b.tar" .
	gzip -k "$ctx/b.tar"
	run stave import -m "my words" -c 'CMD ["echo", "changed"]' -c 'ENV A=1' "$ctx/b.tar" fromfile:1
	ended 0
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	is "$(stave run --rm --network none fromfile:1)" changed
	has "$(stave history fromfile:1)" "my words"
	stave import - zipped <"$ctx/b.tar.gz" >/dev/null
	is "$(stave run --rm --network none zipped echo hi)" hi
	run stave import -c 'RUN rm -rf /' "$ctx/b.tar" x
	ended 1
	has "$output" "RUN is not a valid change command"
	stave import -c 'STOPSIGNAL 99' "$ctx/b.tar" signal >/dev/null
	is "$(stave inspect --format '{{.Config.StopSignal}}' signal)" 99
	for change in foo 0; do
		run stave import -c "STOPSIGNAL $change" "$ctx/b.tar" x
		ended 1
		has "$output" "invalid signal: $change"
	done
	# a second stage would be an image to fetch
	local change
	for change in 'from nosuch.invalid/x' $'ENV a=b\nFROM nosuch.invalid/x'; do
		run stave import -c "$change" "$ctx/b.tar" x
		ended 1
		[[ $output =~ ^stave:\ (from|FROM)\ is\ not\ a\ valid\ change\ command$ ]]
	done
	run stave import "$ctx/none.tar" x
	ended 1
	echo nonsense >"$ctx/bad.tar"
	run stave import "$ctx/bad.tar" x
	ended 1
	has "$output" "not a tar archive"
	stave rmi fromfile:1 zipped signal
	store_is_clean
}

@test "import: from a URL" {
	mkdir "$ctx/www"
	tar -C "$BATS_FILE_TMPDIR/base" -cf "$ctx/www/b.tar" .
	local port=$((20000 + RANDOM % 20000))
	busybox httpd -f -p "127.0.0.1:$port" -h "$ctx/www" &
	local pid=$!
	settled bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null
	run stave import "http://127.0.0.1:$port/b.tar" fromurl
	ended 0
	has "$(stave history fromurl)" "http://127.0.0.1:$port/b.tar"
	run stave import "http://127.0.0.1:$port/none.tar" x
	kill $pid
	ended 1
	has "$output" 404
	run stave import "file:///etc/passwd" x
	ended 1
}

@test "version, info, system check, help" {
	run stave version
	ended 0
	has "$output" Version
	# what scripts ask a daemon for
	is "$(stave version --format '{{.Server.Version}} {{.Server.Os}}')" "$(stave version --format '{{.Client.Version}}') linux"
	is "$(stave version --format '{{.Client.Version}}')" "$(stave --version | sed 's/.* version \([^ ,]*\).*/\1/')"
	run stave info
	ended 0
	has "$output" Images
	run stave system check
	ended 0
	has "$output" "no problems found"
	run stave build --help
	ended 0
	has "$output" "--build-arg"
	run stave --help
	ended 0
	run stave completion bash
	ended 0
	has "$output" "complete "
}

@test "system check finds damage and mends it" {
	printf 'FROM busybox\nCOPY f /damaged\n' >"$ctx/Dockerfile"
	echo "$RANDOM" >"$ctx/f"
	build
	echo changed >>"$(echo "$STAVE_ROOT"/layers/*/fs/damaged)"
	run stave system check
	ended 1
	has "$output" "not what they were"
	run stave system check --repair
	run stave system check
	ended 0
	run stave run --rm t true
	ended 125
	build
	is "$(in_t cat /damaged)" "$(cat "$ctx/f")"
}

@test "a layer of an earlier boot that did not survive is noticed, and built again" {
	command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
	printf 'FROM busybox\nRUN echo precious > /p\n' >"$ctx/Dockerfile"
	build
	sqlite3 "$STAVE_ROOT/stave.db" "UPDATE layer SET boot = 'earlier', synced = 0"
	: >"$(echo "$STAVE_ROOT"/layers/*/fs/p)"
	build
	is "$(in_t cat /p)" precious
	store_is_clean
}

@test "images: patterns, until=, a bad pattern, one line for each name with -q" {
	stave tag busybox sh/one:1
	stave tag busybox sh/one:2
	is "$(stave images -q 'sh/*' | wc -l)" 2
	is "$(stave images --format '{{.Tag}}' 'sh/[a-o]n?' | sort | xargs)" "1 2"
	is "$(stave images -q --filter until=24h sh/one | wc -l)" 2
	is "$(stave images -q --filter until=2020-01-01 sh/one)" ""
	run stave images 'sh/[x'
	ended 1
	has "$output" "syntax error in pattern"
	run stave images --filter until=nonsense
	ended 1
	has "$output" 'failed to parse value as time or duration: "nonsense"'
	has "$(stave images --format raw sh/one:1)" "image_id: "
	stave rmi sh/one:1 sh/one:2
}

@test "an id that is too short lists the images that it could be" {
	local i id
	for i in $(seq 17); do
		printf 'FROM busybox\nLABEL n=%s\n' "$i" >"$ctx/Dockerfile"
		stave build -q -t "amb:$i" "$ctx" >/dev/null
	done
	# 17 ids and 16 digits
	id=$(stave images -q amb | cut -c1 | sort | uniq -d | head -1)
	run stave history "sha256:$id"
	ended 1
	has "$output" "ambiguous image id prefix: sha256:$id could be "
	has "$output" "(amb:"
	# an id alone is enough, and says nothing else
	run --separate-stderr stave inspect --format '{{.Id}}' "$(stave images -q amb:7)"
	ended 0
	is "$stderr" ""
	stave rmi $(seq -f amb:%g 17) >/dev/null
}

@test "a name that is none: which character" {
	run stave tag busybox 'a b'
	ended 1
	has "$output" 'hint: character 2, " ", cannot be in the name of an image'
	run stave tag busybox x/ü
	has "$output" 'hint: character 3, "ü"'
	run stave tag busybox a:b/-c
	has "$output" 'hint: character 5, "-"'
	run stave tag busybox a:
	has "$output" "behind the colon at the end a tag is missing"
}

@test "inspect: nothing found with --format is an empty line; --platform; escapes" {
	run --separate-stderr stave inspect --format '{{.Id}}' nosuch
	ended 1
	is "$output" ""
	is "$stderr" "Error: No such object: nosuch"
	run stave image inspect --platform linux/s390x busybox
	ended 1
	has "$output" "does not match the specified platform (linux/s390x)"
	printf 'FROM busybox\nENV A="<&>"\nCMD ["x"]\n' >"$ctx/Dockerfile"
	build
	has "$(stave inspect t)" '"A=\u003c\u0026\u003e"'
	has "$(stave inspect t)" '"Entrypoint": null'
	has "$(config '{{json .Config.Env}}')" '"A=<&>"'
	is "$(config '{{json .Config}}')" '{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=<&>"],"Cmd":["x"],"ArgsEscaped":true}'
	is "$(config '{{.Config.Labels}} {{.Config.User}}|')" 'map[] |'
}

# WORDS PATTERN [IMAGE]: the screen of "stave WORDS", whose helper reads a moment at a time until
# PATTERN is seen; again when a fast machine was done before.  IMAGE is not there when it begins.
drawn() {
	local screen=$BATS_TEST_TMPDIR/screen stave i
	for i in 1 2 3 4 5; do
		: >"$screen"
		[ -z "${3-}" ] || stave rmi -f "$3" >/dev/null
		TERM=xterm script -qefc "exec stave $1" "$screen" >/dev/null &
		until stave=$(pgrep -P $!) || ! kill -0 $! 2>/dev/null; do :; done
		while kill -0 $! 2>/dev/null && ! grep -q "$2" "$screen"; do
			pkill -STOP -P "$stave" stave-unpack || continue
			sleep 0.1
			pkill -CONT -P "$stave" stave-unpack
			sleep 0.01
		done
		wait $!
		output=$(<"$screen")
		! grep -q "$2" "$screen" || return 0
	done
	echo "no $2 in: $output"
	return 1
}

@test "import, save and load draw a bar on a terminal, and only there" {
	command -v script >/dev/null || skip "needs script"
	truncate -s 600M "$ctx/zero"
	tar -C "$ctx" -cf "$ctx/z.tar" zero
	drawn "import $ctx/z.tar zeros" "/629.2MB"
	has "$output" "[="
	run --separate-stderr stave save -o "$ctx/s.tar" zeros
	ended 0
	is "$output$stderr" ""
	drawn "load -i $ctx/s.tar" "/629.2MB"
	has "$output" "Loaded image: zeros:latest"
	drawn "load < $ctx/s.tar" "/629.2MB"
	# from nothing: what takes its time now is the layer
	drawn "load -i $ctx/s.tar" "[0-9a-f]\{12\}: Loading layer  \[=*>\? *\]  [0-9.]*.\?B/629.1MB" zeros
	stave rmi zeros >/dev/null
	run script -qec "TERM=xterm stave load -q -i $ctx/s.tar" /dev/null
	hasnt "$output" "629.2MB"
	stave rmi zeros >/dev/null
	nothing_left
}

@test "the log is not emptied by each command, and does not grow for ever" {
	local size before=0 grew=0 shrank=0 i
	for i in $(seq 40); do
		stave tag busybox "name:$i"
		stave rmi "name:$i" >/dev/null
		size=$(stat -c %s "$STAVE_ROOT/stave.db-wal")
		[ "$size" -lt 400000 ]
		[ "$size" -le "$before" ] || grew=$((grew + 1))
		[ "$size" -ge "$before" ] || shrank=$((shrank + 1))
		before=$size
	done
	[ "$shrank" -gt 0 ]
	[ "$grew" -gt $((4 * shrank)) ]
	is "$(stave images --format '{{.Tag}}' busybox)" latest
	is "$(stave images -q name)" ""
}
