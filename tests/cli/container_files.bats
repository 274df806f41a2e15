# SPDX-License-Identifier: Apache-2.0
#
# What a container wrote: diff, export, commit

load common

setup_file() { private_store; }

# A container "c1" that ran a script.
ran() {
	stave rm -f c1 >/dev/null 2>&1 || true
	stave run --network none --name c1 "${@:2}" busybox sh -c "$1"
}

@test "diff: added, changed, deleted; directories on the way" {
	ran 'echo hi >/etc/new; rm /etc/group; mkdir -p /a/b; touch /a/b/c; chmod 700 /home; ln -s x /l; echo x >>/etc/passwd'
	run stave diff c1
	ended 0
	is "$output" "A /a
A /a/b
A /a/b/c
C /etc
D /etc/group
A /etc/new
C /etc/passwd
C /home
A /l"
	is "$(stave container diff c1)" "$output"
}

@test "diff: a container that wrote nothing, and one that is not there" {
	ran true
	is "$(stave diff c1)" ""
	run stave diff nobody
	ended 1
	has "$output" "No such container: nobody"
}

@test "diff: a directory that was made again hides what was in it" {
	ran 'rm -r /home; mkdir /home; touch /home/new'
	run stave diff c1
	has "$output" "D /home/app"
	has "$output" "A /home/new"
}

@test "export: the whole file system, whiteouts applied" {
	ran 'echo hi >/new; rm /etc/group; rm -r /home; mkdir /home; chown 5:6 /new; chmod 640 /new'
	stave export c1 >"$BATS_TEST_TMPDIR/1.tar"
	stave export -o "$BATS_TEST_TMPDIR/2.tar" c1
	cmp "$BATS_TEST_TMPDIR/1.tar" "$BATS_TEST_TMPDIR/2.tar"
	run tar -tvf "$BATS_TEST_TMPDIR/1.tar" --numeric-owner
	has "$output" "-rw-r----- 5/6"
	hasnt "$output" "etc/group"
	hasnt "$output" "home/app"
	hasnt "$output" ".wh."
	has "$output" "bin/busybox"
	# and it comes back
	stave import "$BATS_TEST_TMPDIR/1.tar" back >/dev/null
	is "$(stave run --rm --network none back cat /new)" hi
}

@test "commit: the files and the config of the container" {
	ran 'echo $A >/new; rm /etc/group; rm -r /home; mkdir /home; touch /home/x' -e A=1 -l k=v -w /tmp -u 0
	run stave commit -m why -a me c1 made:1
	ended 0
	is "$output" "$(stave inspect --format '{{.Id}}' made:1)"
	is "$(stave run --rm --network none made:1 sh -c 'cat /new; ls /home; ls /etc/group 2>&1; echo $A; pwd')" \
		"1
x
ls: /etc/group: No such file or directory
1
/tmp"
	is "$(stave inspect --format '{{.Author}} {{.Comment}} {{.Config.Labels.k}} {{json .Config.Cmd}}' made:1)" \
		'me why v ["sh","-c","echo $A >/new; rm /etc/group; rm -r /home; mkdir /home; touch /home/x"]'
	is "$(stave inspect --format '{{.Config.Hostname}}' made:1)" ""
	is "$(stave history --format '{{.Comment}}' made:1 | head -1)" why
	run stave system check
	ended 0
}

@test "commit -c: config instructions, others are refused" {
	ran true
	stave commit -c 'CMD ["a","b"]' -c 'ENV X=y' -c 'EXPOSE 80' c1 made:2 >/dev/null
	is "$(stave inspect --format '{{json .Config.Cmd}} {{json .Config.ExposedPorts}}' made:2)" '["a","b"] {"80/tcp":{}}'
	has "$(stave inspect --format '{{json .Config.Env}}' made:2)" '"X=y"'
	run stave commit -c 'RUN true' c1
	ended 1
	is "$output" "stave: RUN is not a valid change command"
	run stave commit -c 'ENV' c1
	ended 1
	is "$output" "stave: ENV requires at least one argument"
}

@test "commit: the container goes on and the image does not change" {
	stave rm -f live >/dev/null 2>&1 || true
	stave run --network none --name live busybox sh -c 'echo one >/f; while [ ! -e /go ]; do sleep 0.05; done; echo two >/f; sync' &
	for _ in $(seq 100); do stave diff live 2>/dev/null | grep -q 'A /f' && break; sleep 0.05; done
	stave commit live made:3 >/dev/null
	touch "$STAVE_ROOT/containers/$(stave inspect --format '{{.Id}}' live)/fs/go" || true
	kill %1 2>/dev/null || true
	stave rm -f live >/dev/null || true
	wait || true
	is "$(stave run --rm --network none made:3 cat /f)" one
	run stave system check
	ended 0
}

@test "commit: a bad name is told before anything is copied" {
	ran true
	run stave commit c1 Upper/Case
	ended 1
	has "$output" "invalid reference format"
}
