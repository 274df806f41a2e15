# SPDX-License-Identifier: Apache-2.0
#
# image diff, image verify

load common

setup_file() { private_store; }

pair() {
	mkdir -p "$ctx/d"
	echo same >"$ctx/d/same"
	printf 'FROM busybox\nCOPY d /d\nRUN echo one >/f; echo x >/gone; ln -s a /l; touch /m; echo 12345 >/c\nENV A=1\n' |
		stave build -q -t one -f - "$ctx" >/dev/null
	printf 'FROM busybox\nCOPY d /e\nCOPY d /d\nRUN echo two >/f; ln -s b /l; touch /m; chmod 600 /m; chown 1:1 /m; echo 123456 >/c; mkdir /new\nENV A=2\nUSER app\n' |
		stave build -q -t two -f - "$ctx" >/dev/null
}

@test "image diff: files by what is different, then the config" {
	pair
	run stave image diff one two
	ended 0
	is "$(sed -E 's/^(.) +[0-9.]+k?B +/\1 /' <<<"$output")" 'C /c (content)
A /e
A /e/same
C /f (content)
D /gone
C /l (link)
C /m (mode, owner)
A /new
= Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=1"] -> ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=2"]
= User: "" -> "app"'
	is "$(stave image diff one one)" ""
	stave image diff -q one one
	run stave image diff -q one two
	ended 1
	is "$output" ""
	is "$(stave image diff --format json one two | jq -r '.Files | length')" 8
	is "$(stave image diff --format json one two | jq -r '.Config.User.new')" app
	run stave image diff one nowhere
	ended 1
	has "$output" "nowhere"
}

@test "image verify: reads all, and names what is damaged" {
	pair
	run stave image verify one two
	ended 0
	has "$output" "one: OK, "
	file=$(find "$STAVE_ROOT"/layers/*/fs/e/same | head -1)
	echo evil >"$file"
	run stave image verify two
	ended 1
	has "$output" "its files are not those that the digest names"
	has "$output" "sha256:"
	run stave image verify one
	ended 0
	stave system check --repair >/dev/null || true
}
