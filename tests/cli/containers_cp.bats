# SPDX-License-Identifier: Apache-2.0
# cp: what paths mean, in both directions, and that no link leads out.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
	mkdir -p "$ctx/dir/sub"
	echo one >"$ctx/dir/one"
	echo two >"$ctx/dir/sub/two"
	ln -s one "$ctx/dir/link"
	chmod 640 "$ctx/dir/one"
	touch -d @1000000000 "$ctx/dir/one"
}

teardown() {
	am_root || return 0
	stave rm -f $(stave ps -aq) >/dev/null 2>&1 || true
}

running() { stave run -d --network none --name "$1" busybox sleep "$MARK" >/dev/null; }

@test "into a running container: files, directories, contents, new names" {
	running cc
	stave cp "$ctx/dir/one" cc:/tmp
	is "$(stave exec cc stat -c '%a %u:%g %Y' /tmp/one)" "640 0:0 1000000000"
	stave cp "$ctx/dir/one" cc:/tmp/renamed
	is "$(stave exec cc cat /tmp/renamed)" one
	stave cp "$ctx/dir" cc:/tmp
	is "$(stave exec cc cat /tmp/dir/sub/two)" two
	is "$(stave exec cc readlink /tmp/dir/link)" one
	stave cp "$ctx/dir/." cc:/root
	is "$(stave exec cc cat /root/sub/two)" two
	stave cp "$ctx/dir" cc:/tmp/new
	is "$(stave exec cc cat /tmp/new/one)" one
	run stave cp "$ctx/dir" cc:/tmp/one
	ended 1
	has "$output" "cannot copy a directory to a file"
	run stave cp "$ctx/dir/one" cc:/nowhere/
	ended 1
	has "$output" "must exist"
	run stave cp "$ctx/nothing" cc:/tmp
	ended 1
	has "$output" "no such file or directory"
	(cd "$ctx" && stave cp ./dir/one cc:/tmp/relative)
	stave exec cc test -f /tmp/relative
}

@test "out of a container that runs or not" {
	running cc
	stave exec cc sh -c 'mkdir -p /d/e; echo x >/d/e/x; ln -s e /d/l; ln -s /etc/passwd /p'
	stave cp cc:/d "$ctx/out"
	is "$(cat "$ctx/out/e/x")" x
	stave cp cc:/d "$ctx/out"
	is "$(cat "$ctx/out/d/e/x")" x
	stave cp cc:/d/e/x "$ctx"
	is "$(cat "$ctx/x")" x
	stave cp cc:/p "$ctx/link"
	is "$(readlink "$ctx/link")" /etc/passwd
	stave cp -L cc:/p "$ctx/passwd"
	has "$(cat "$ctx/passwd")" "app:x:1000"
	run stave cp cc:/nope "$ctx"
	ended 1
	has "$output" "Could not find the file /nope in container cc"
	stave stop -t 0 cc
	stave cp cc:/d "$ctx/again"
	is "$(cat "$ctx/again/e/x")" x
	stave cp "$ctx/dir/one" cc:/d/e
	stave start cc >/dev/null
	is "$(stave exec cc cat /d/e/one)" one
	stave rm -f cc
	stave create --network none --name new busybox true >/dev/null
	stave cp "$ctx/dir/one" new:/root/one
	stave cp new:/root/one "$ctx/back"
	is "$(cat "$ctx/back")" one
	stave rm new
	nothing_left
}

@test "-a keeps owners; tar on standard input and output" {
	running cc
	stave exec cc sh -c 'echo o >/tmp/o; chown 1000:50 /tmp/o'
	stave cp -a cc:/tmp/o "$ctx/o"
	is "$(stat -c %u:%g "$ctx/o")" 1000:50
	stave cp cc:/tmp/o "$ctx/mine"
	is "$(stat -c %u "$ctx/mine")" "$(id -u)"
	is "$(stave cp cc:/etc - | tar -t | grep passwd)" etc/passwd
	tar -C "$ctx" -c dir | stave cp - cc:/tmp
	is "$(stave exec cc cat /tmp/dir/sub/two)" two
	run stave cp - cc:/nowhere </dev/null
	ended 1
	run stave cp "$ctx/o" "$ctx/p"
	ended 1
	has "$output" "must specify at least one container source"
	run stave cp cc:/a cc:/b
	ended 1
	has "$output" "copying between containers is not supported"
}

@test "links of a container do not lead out of it" {
	running cc
	echo secret >"$ctx/secret"
	stave exec cc sh -c "ln -s / /rootlink; mkdir -p /tmp/a; ln -s ../../../../../../ /tmp/a/up; ln -s $ctx /esc; mkdir -p $ctx"
	stave cp "$ctx/dir/one" cc:/rootlink/tmp/viaroot
	is "$(stave exec cc cat /tmp/viaroot)" one
	stave cp "$ctx/dir/one" cc:/tmp/a/up/tmp/viaup
	is "$(stave exec cc cat /tmp/viaup)" one
	run stave cp cc:/esc/secret "$ctx/stolen"
	ended 1
	[ ! -e "$ctx/stolen" ]
	stave cp "$ctx/dir/one" cc:/esc/planted
	[ ! -e "$ctx/planted" ]
	stave exec cc test -f "$ctx/planted"
	run stave cp cc:/../../../../"$ctx/secret" "$ctx/stolen"
	ended 1
}
