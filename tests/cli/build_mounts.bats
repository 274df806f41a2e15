#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# RUN --mount and what else a RUN can be given. Expected results were taken from
# Docker 28 (BuildKit) unless docs/compat.md says otherwise.
load common

setup_file() { private_store; }

teardown() {
	[ -z "${SSH_AGENT_PID-}" ] || kill "$SSH_AGENT_PID"
}

agent() {
	export SSH_AUTH_SOCK=$BATS_TEST_TMPDIR/agent
	SSH_AGENT_PID=$(ssh-agent -a "$SSH_AUTH_SOCK" | sed -n 's/.*pid \([0-9]*\);.*/\1/p')
	ssh-keygen -q -t ed25519 -N '' -C key@test -f "$BATS_TEST_TMPDIR/key"
}

# Agents that hold a key file for a step of this store's: their name space shows it.
agents_left() {
	local pid
	for pid in $(pgrep -x ssh-agent); do
		! grep -qsF "$STAVE_ROOT/" "/proc/$pid/mountinfo" || echo "$pid"
	done
}

# The base image has no ssh-add: ours with its libraries is the context called "tools".
tools() {
	local program
	program=$(command -v ssh-add)
	mkdir "$BATS_TEST_TMPDIR/tools"
	cp -L "$program" $(ldd "$program" | grep -o '/[^ ]*') "$BATS_TEST_TMPDIR/tools/"
	cat >"$BATS_TEST_TMPDIR/tools/keys" <<-'END'
	#!/bin/sh
	exec /tools/ld-linux* --library-path /tools /tools/ssh-add -l 2>&1
	END
	chmod 755 "$BATS_TEST_TMPDIR/tools/"*
}

ask_agent='--mount=from=tools,target=/tools'

# ---- bind ----

@test "bind: the context, without what is ignored, owned by root, read-only" {
	mkdir -p "$ctx/sub"
	echo a >"$ctx/a" && echo b >"$ctx/sub/b" && echo h >"$ctx/hidden"
	chmod 640 "$ctx/a" && chown 1000:1000 "$ctx/a"
	chmod 711 "$ctx" && chmod 750 "$ctx/sub"
	echo hidden >"$ctx/.dockerignore"
	dockerfile <<-'END'
	FROM busybox
	WORKDIR /w
	RUN --mount=target=. --mount=type=bind,source=sub,target=/s \
	    --mount=source=./sub/../sub/b,target=/deep/er/file \
	    ls /w > /list; stat -c '%a %u %g' /w/a > /a; cat /s/b /deep/er/file > /b; \
	    touch /w/new 2> /err; touch /s/new /deep/er/file 2>> /err; stat -c %a /w /s > /modes
	END
	build
	is "$(in_t cat /list | tr '\n' ' ')" "Dockerfile a sub "
	is "$(in_t cat /a)" "640 0 0"
	is "$(in_t cat /modes)" $'755\n750'
	is "$(in_t cat /b)" $'b\nb'
	is "$(in_t cat /err | grep -c 'Read-only file system')" 3
	# no mount point stays, whatever was missing
	is "$(in_t sh -c 'ls -d /w /s /deep 2>/dev/null')" "/w"
	is "$(in_t ls -A /w)" ""
}

@test "bind: a part of a stage or an image, with its owners and links" {
	dockerfile <<-'END'
	FROM busybox AS one
	RUN mkdir -p /data/x && echo 1 > /data/x/f && chown 5:6 /data/x/f && ln -s x /data/l
	FROM scratch AS nothing
	FROM busybox
	RUN --mount=from=one,source=data,target=/d --mount=from=0,source=/data/l/f,target=/f \
	    --mount=from=busybox,target=/img --mount=from=nothing,target=/none \
	    stat -c '%u %g' /d/x/f > /o; cat /f > /c; ls /img/bin/busybox > /i; ls -A /none > /n
	END
	build
	is "$(in_t cat /o /c /i /n)" $'5 6\n1\n/img/bin/busybox'
}

@test "bind: what is written with rw is gone after the step" {
	echo 1 >"$ctx/f"
	dockerfile <<-'END'
	FROM busybox AS one
	RUN mkdir /data && echo 1 > /data/f
	FROM busybox
	RUN --mount=target=/c,rw --mount=from=one,source=data,target=/d,readwrite \
	    --mount=source=f,target=/file,rw \
	    echo 2 >> /c/f && echo 2 >> /d/f && rm -rf /d/g && touch /c/new && echo 2 >> /file && \
	    cat /c/f /d/f /file > /seen
	RUN --mount=target=/c --mount=from=one,source=data,target=/d ls /c > /list; cat /c/f /d/f > /kept
	END
	build
	is "$(in_t cat /seen | tr '\n' ' ')" "1 2 1 2 1 2 "
	is "$(in_t cat /list | tr '\n' ' ')" "Dockerfile f "
	is "$(in_t cat /kept | tr '\n' ' ')" "1 1 "
	is "$(cat "$ctx/f")" 1
}

@test "bind: the content counts for the cache, the times do not" {
	mkdir "$ctx/src"
	echo 1 >"$ctx/src/f" && echo o >"$ctx/other"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=source=src,target=/s cat /s/f > /f
	END
	build
	touch "$ctx/src/f" && echo changed >"$ctx/other"
	build_log && ended 0
	has "$output" "CACHED"
	is "$(cached)" 3
	echo 2 >"$ctx/src/f"
	build && is "$(in_t cat /f)" 2
	chmod 755 "$ctx/src/f"
	build_log && ended 0
	is "$(cached)" 1
	build_log --explain && ended 0
}

@test "bind: a stage's content counts, not how it came to be" {
	dockerfile <<-'END'
	FROM busybox AS one
	ARG V
	RUN mkdir /data && echo same > /data/f && echo $V > /other
	FROM busybox
	RUN --mount=from=one,source=data,target=/d cat /d/f > /f; date +%N > /when
	END
	build --build-arg V=1
	local when
	when=$(in_t cat /when)
	build --build-arg V=2
	is "$(in_t cat /when)" "$when"
}

@test "bind: from a named context" {
	mkdir "$BATS_TEST_TMPDIR/other"
	echo named >"$BATS_TEST_TMPDIR/other/f"
	chown 1000 "$BATS_TEST_TMPDIR/other/f"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=from=more,target=/m cat /m/f > /f; stat -c %u /m/f >> /f
	END
	build --build-context more="$BATS_TEST_TMPDIR/other"
	is "$(in_t cat /f)" $'named\n0'
	echo changed >"$BATS_TEST_TMPDIR/other/f"
	build --build-context more="$BATS_TEST_TMPDIR/other"
	is "$(in_t cat /f)" $'changed\n0'
}

@test "bind: names that are patterns elsewhere, and links that lead out" {
	mkdir "$ctx/app[1]"
	echo x >"$ctx/app[1]/f*"
	ln -s ../../../../etc/passwd "$ctx/out"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=source=app[1],target=/a cat '/a/f*' > /f
	END
	build
	is "$(in_t cat /f)" x
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=source=out,target=/a cat /a > /f
	END
	build_log && ended 1
	has "$output" "not found"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=source=../../etc,target=/a ls /a > /f
	END
	build_log && ended 1
	has "$output" '/etc" not found'
}

@test "bind: a script that a command leaves in the mount point stays out of the layer" {
	echo a >"$ctx/a"
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir -p /opt/old && touch -d @1000000000 /opt/old /opt
	RUN --mount=target=/opt/old/new/deep true
	RUN --mount=target=/opt/x/y touch /opt/x/mine
	END
	build
	is "$(in_t stat -c '%Y %n' /opt/old)" "1000000000 /opt/old"
	is "$(in_t find /opt | sort | tr '\n' ' ')" "/opt /opt/old /opt/x /opt/x/mine "
	# the second RUN changed nothing at all
	is "$(layers_of t | sed -n 3p)" \
		"sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
}

# ---- cache ----

@test "cache: kept between steps and builds, in no layer" {
	dockerfile <<-'END'
	FROM busybox
	ARG N
	RUN --mount=type=cache,target=/c echo $N >> /c/log; cat /c/log > /seen
	RUN --mount=type=cache,target=/other,id=/c cat /other/log > /seen2
	END
	build --build-arg N=1
	build --build-arg N=2
	is "$(in_t cat /seen | tr '\n' ' ')" "1 2 "
	is "$(in_t cat /seen2 | tr '\n' ' ')" "1 2 "
	run in_t ls /c
	ended 1
}

@test "cache: owner, mode, first content, read-only" {
	dockerfile <<-'END'
	FROM busybox AS one
	RUN mkdir -p /data/d && echo 1 > /data/d/f && chown -R 7:8 /data && chmod 750 /data/d && \
	    ln -s f /data/d/l
	FROM busybox
	USER app
	RUN --mount=type=cache,target=/tmp/c,uid=1000,gid=1000,mode=0770,id=owned \
	    stat -c '%a %u %g' /tmp/c > /tmp/o && touch /tmp/c/x
	USER root
	RUN --mount=type=cache,target=/c,id=filled,from=one,source=data \
	    stat -c '%a %u %g' /c/d /c/d/f > /f; cat /c/d/l >> /f; echo 2 >> /c/d/f
	RUN --mount=type=cache,target=/c,id=filled,from=one,source=data cat /c/d/f > /g
	RUN --mount=type=cache,target=/c,id=filled,from=one,source=data,ro touch /c/x 2> /e; true
	END
	build
	is "$(in_t cat /tmp/o)" "770 1000 1000"
	is "$(in_t cat /f | tr '\n' ' ')" "750 7 8 644 7 8 1 "
	is "$(in_t cat /g | tr '\n' ' ')" "1 2 "
	has "$(in_t cat /e)" "Read-only file system"
}

@test "cache: shared is one for all, private one each, locked one after the other" {
	dockerfile <<-'END'
	FROM busybox AS a
	ARG S
	RUN --mount=type=cache,target=/c,id=s-$S,sharing=$S touch /c/a; sleep 1; ls /c > /list
	FROM busybox AS b
	ARG S
	RUN --mount=type=cache,target=/c,id=s-$S,sharing=$S touch /c/b; sleep 1; ls /c > /list
	FROM busybox
	COPY --from=a /list /a
	COPY --from=b /list /b
	END
	build --build-arg S=shared
	is "$(in_t cat /a /b | tr '\n' ' ')" "a b a b "
	build --build-arg S=private
	is "$(in_t cat /a /b | tr '\n' ' ')" "a b "
	build_log --build-arg S=locked && ended 0
	is "$(in_t cat /a /b | wc -l)" 3
	is "$(grep -c 'waiting for the cache mount s-locked: another step has it' <<<"$output")" 1
}

@test "cache: two that want the same two do not wait for each other" {
	dockerfile <<-'END'
	FROM busybox AS a
	RUN --mount=type=cache,target=/1,id=l1,sharing=locked --mount=type=cache,target=/2,id=l2,sharing=locked sleep 0.3
	FROM busybox AS b
	RUN --mount=type=cache,target=/1,id=l2,sharing=locked --mount=type=cache,target=/2,id=l1,sharing=locked sleep 0.3
	FROM busybox AS c
	RUN --mount=type=cache,target=/1,id=l1,sharing=locked --mount=type=cache,target=/2,id=l1,sharing=locked touch /1/x; ls /2 > /list
	FROM busybox
	COPY --from=a /etc /a
	COPY --from=b /etc /b
	COPY --from=c /list /list
	END
	timeout 30 stave build -q -t t "$ctx" >/dev/null
	is "$(in_t cat /list)" x
}

@test "cache: a killed build lets go of it, and the next one has what it wrote" {
	dockerfile <<-'END'
	FROM busybox
	ARG N
	RUN --mount=type=cache,target=/c,id=killed,sharing=locked echo $N >> /c/log; cat /c/log > /seen; sleep $N
	END
	stave build -q --build-arg N="$MARK" "$ctx" >/dev/null 2>&1 &
	for _ in {1..100}; do
		pgrep -f "sleep $MARK" >/dev/null && break
		sleep 0.05
	done
	kill -9 $!
	wait $! || true
	build --build-arg N=0
	is "$(in_t cat /seen | tr '\n' ' ')" "$MARK 0 "
	is "$(stave system check)" "no problems found"
	is "$(processes_left)" ""
	is "$(mounts_left)" ""
}

# ---- tmpfs ----

@test "tmpfs: empty, of that size, gone afterwards" {
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir /t && touch /t/under
	RUN --mount=type=tmpfs,target=/t,size=2m --mount=type=tmpfs,target=/t/ro,ro \
	    ls -A /t > /list; df -k /t | tail -1 | awk '{print $2}' > /size; stat -c %a /t > /mode; \
	    touch /t/ro/x 2> /err; touch /t/over
	END
	build
	is "$(in_t cat /list /size /mode | tr '\n' ' ')" "ro 2048 1777 "
	has "$(in_t cat /err)" "Read-only file system"
	is "$(in_t ls /t)" under
}

# ---- secret ----

@test "secret: a file, by default /run/secrets/ID for root, or as it is said" {
	printf 'v\0lue\n' >"$BATS_TEST_TMPDIR/s"
	dockerfile <<-'END'
	FROM busybox
	WORKDIR /w
	RUN --mount=type=secret,id=a/b.txt stat -c '%a %u %g' /run/secrets/b.txt > /1; od -An -c /run/secrets/b.txt > /2
	RUN --mount=type=secret,id=a/b.txt,target=rel/s,mode=0444,uid=7,gid=8 stat -c '%a %u %g' /w/rel/s > /3
	RUN --mount=type=secret,source=a/b.txt,target=/etc/passwd wc -c < /etc/passwd > /4
	RUN --mount=type=secret,id=a/b.txt echo x > /run/secrets/b.txt; grep secrets /proc/mounts > /5
	RUN ls -d /run /w/* > /6 2>&1; wc -l < /etc/passwd > /7
	END
	build --secret id=a/b.txt,src="$BATS_TEST_TMPDIR/s"
	is "$(in_t cat /1 /3 /4)" $'400 0 0\n444 7 8\n6'
	is "$(in_t cat /2)" '   v  \0   l   u   e  \n'
	has "$(in_t cat /5)" "ro,nosuid,nodev,noexec"
	hasnt "$(in_t cat /6)" "run"$'\n'
	is "$(in_t cat /7)" 3
}

@test "secret: where a value can come from" {
	dockerfile <<-'END'
	FROM busybox
	ARG N
	RUN --mount=type=secret,id=tok,env=TOK --mount=type=secret,id=tok,env=T2,target=/f \
	    echo "$TOK $T2 $(cat /f) $(ls /run/secrets 2>/dev/null)" > /v
	RUN echo "[$TOK]" > /after
	END
	echo -n file >"$BATS_TEST_TMPDIR/tok"
	tok=one build --secret id=tok --build-arg N=1
	is "$(in_t cat /v)" "one one one "
	is "$(in_t cat /after)" "[]"
	OTHER=two build --secret id=tok,env=OTHER --build-arg N=2
	is "$(in_t cat /v)" "two two two "
	OTHER=three build --secret type=env,id=tok,src=OTHER --build-arg N=3
	is "$(in_t cat /v)" "three three three "
	(cd "$BATS_TEST_TMPDIR" && build --secret id=tok --build-arg N=4)
	is "$(in_t cat /v)" "file file file "
	tok=one build --secret type=file,id=tok,source="$BATS_TEST_TMPDIR/tok" --build-arg N=5
	is "$(in_t cat /v)" "file file file "
	is "$(config '{{range .Config.Env}}{{println .}}{{end}}' | grep -c TOK || true)" 0
}

@test "secret: required or not; the value is not in the key" {
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=type=secret,id=x ls /run/secrets/x > /f 2>&1 || true
	END
	build
	has "$(in_t cat /f)" "No such file"
	x=1 build_log --secret id=x && ended 0
	is "$(cached)" 2
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=type=secret,id=x,required cat /run/secrets/x
	END
	build_log && ended 1
	has "$output" "ERROR: failed to build: failed to solve: secret x: not found"
	has "$output" "hint: give it with --secret id=x,src=FILE"
	x=1 build --secret id=x
}

@test "secret: what is wrong with --secret is said before anything is built" {
	dockerfile <<<$'FROM busybox\nRUN --mount=type=secret,id=x true'
	local text
	while IFS='|' read -r option text; do
		build_log --secret "$option"
		ended 1
		has "$output" "$text"
		hasnt "$output" "#1"
	done <<-'END'
	id=x,src=/nonexist|ERROR: failed to build: failed to stat /nonexist
	src=/etc/hostname|ERROR: failed to build: secret missing ID
	foo|invalid field 'foo' must be a key=value pair
	id=x,bla=2|unexpected key 'bla' in 'bla=2'
	id=x,type=foo|unsupported secret type "foo"
	id=x,src=/bin|/bin is not a file
	END
	truncate -s 600k "$BATS_TEST_TMPDIR/big"
	build_log --secret id=x,src="$BATS_TEST_TMPDIR/big"
	ended 1
	has "$output" "larger than 512000 bytes"
}

# ---- ssh ----

@test "ssh: the agent's socket for whoever the step runs as" {
	agent
	tools
	ssh-add -q "$BATS_TEST_TMPDIR/key"
	dockerfile <<-END
	FROM busybox
	USER app
	RUN $ask_agent --mount=type=ssh,uid=1000,gid=1000 stat -c '%F %a %u %g' \$SSH_AUTH_SOCK > /tmp/1; echo \$SSH_AUTH_SOCK > /tmp/2; /tools/keys > /tmp/3
	USER root
	RUN --mount=type=ssh,id=two,target=/agent,mode=0666 --mount=type=ssh stat -c %a /agent > /4; echo \$SSH_AUTH_SOCK >> /4; ls /run/buildkit >> /4
	RUN --mount=type=ssh,id=none echo \$SSH_AUTH_SOCK > /5; ls /run 2>> /5 || true
	END
	build --build-context tools="$BATS_TEST_TMPDIR/tools" --ssh default --ssh two="$SSH_AUTH_SOCK"
	is "$(in_t cat /tmp/1)" "socket 600 1000 1000"
	is "$(in_t cat /tmp/2)" "/run/buildkit/ssh_agent.0"
	has "$(in_t cat /tmp/3)" "key@test (ED25519)"
	is "$(in_t cat /4)" $'666\n/agent\nssh_agent.1'
	has "$(in_t cat /5)" "/run/buildkit/ssh_agent.0"
	is "$(processes_left)" ""
}

@test "ssh: a key file, held by an agent of the step's own" {
	agent
	tools
	unset SSH_AUTH_SOCK
	chmod 644 "$BATS_TEST_TMPDIR/key"
	dockerfile <<-END
	FROM busybox
	RUN $ask_agent --mount=type=ssh /tools/keys > /3
	END
	build --build-context tools="$BATS_TEST_TMPDIR/tools" --ssh default="$BATS_TEST_TMPDIR/key"
	has "$(in_t cat /3)" "key@test (ED25519)"
	is "$(agents_left)" ""
	ssh-keygen -q -t ed25519 -N secret -f "$BATS_TEST_TMPDIR/locked"
	build_log --no-cache --build-context tools="$BATS_TEST_TMPDIR/tools" \
		--ssh default="$BATS_TEST_TMPDIR/locked"
	ended 1
	has "$output" "a key with a passphrase has to be in an agent"
	is "$(agents_left)" ""
	# not even after kill -9
	dockerfile <<<$'FROM busybox\nRUN --mount=type=ssh sleep '"$MARK"
	stave build -q --ssh default="$BATS_TEST_TMPDIR/key" "$ctx" >/dev/null 2>&1 3>&- &
	for _ in {1..100}; do
		pgrep -f "sleep $MARK" >/dev/null && break
		sleep 0.05
	done
	differ "$(agents_left)" ""
	kill -9 $!
	wait $! || true
	sleep 0.3
	is "$(agents_left)" ""
}

@test "ssh: required, and what is wrong with --ssh" {
	unset SSH_AUTH_SOCK
	dockerfile <<<$'FROM busybox\nRUN --mount=type=ssh,required true'
	build_log && ended 1
	has "$output" "ERROR: failed to build: failed to solve: unset ssh forward key default"
	build_log --ssh default && ended 1
	has "$output" "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set"
	build_log --ssh k=/nonexist && ended 1
	has "$output" 'failed to convert agent config for ID: "k": stat /nonexist'
}

# ---- what must never be kept ----

@test "no secret and no key is anywhere in the store" {
	agent
	local word="Zq7-$RANDOM-secret-$RANDOM" key
	key=$(sed -n 3p "$BATS_TEST_TMPDIR/key")
	printf %s "$word" >"$BATS_TEST_TMPDIR/s"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S --mount=type=ssh \
	    --mount=type=cache,target=/c --mount=type=secret,id=s,target=/c/s --mount=type=tmpfs,target=/t \
	    test "$S" = "$(cat /run/secrets/s)" && cp /c/s /t && test -S $SSH_AUTH_SOCK
	RUN --mount=type=secret,id=s,env=S false
	END
	build_log --secret id=s,src="$BATS_TEST_TMPDIR/s" --ssh default="$BATS_TEST_TMPDIR/key"
	ended 1
	S=$word build_log --no-cache --secret id=s,env=S --ssh default="$BATS_TEST_TMPDIR/key" --explain
	ended 1
	! grep -rqF -- "$word" "$STAVE_ROOT"
	! grep -rqF -- "$key" "$STAVE_ROOT"
	hasnt "$output" "$word"
	# the test can see: what a step does write is found
	dockerfile <<<$'FROM busybox\nRUN --mount=type=secret,id=s cp /run/secrets/s /leak'
	build --secret id=s,src="$BATS_TEST_TMPDIR/s"
	grep -rqF -- "$word" "$STAVE_ROOT"
}

@test "another runtime gets the same mounts, and no secret on a disk" {
	command -v crun >/dev/null || skip "needs crun"
	local word="Crun-$RANDOM-secret-$RANDOM"
	echo a >"$ctx/a"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=target=/m --mount=type=secret,id=s,env=S --mount=type=secret,id=s --mount=type=cache,target=/c,id=crun <<EOT
	#!/bin/sh
	ls /m /run/secrets > /list; test "$S" = "$(cat /run/secrets/s)"; sleep 1
	EOT
	END
	s=$word stave build -q -t t --runtime crun --secret id=s "$ctx" >/dev/null &
	sleep 0.7
	! grep -rqF -- "$word" "$STAVE_ROOT"
	wait $!
	is "$(in_t cat /list | xargs)" "/m: Dockerfile a /run/secrets: s"
	run in_t ls -d /m /c
	ended 1
}

# ---- all of them ----

@test "mounts below mounts, and targets that cannot be" {
	echo a >"$ctx/a"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=target=/a/b --mount=type=tmpfs,target=/a ls /a/b > /list
	END
	build
	is "$(in_t cat /list | tr '\n' ' ')" "Dockerfile a "
	local mount text
	while IFS='|' read -r mount text; do
		dockerfile <<<$'FROM busybox\nRUN --mount='"$mount true"
		build_log
		ended 1
		has "$output" "$text"
	done <<-'END'
	type=cache|invalid mount target "/"
	target=/|invalid mount target "/"
	target=/../|invalid mount target
	source=nope,target=/x|"/nope" not found
	from=nope:1,target=/x|nope:1
	source=a,target=/etc|cannot mount a file onto /etc
	target=/etc/passwd|cannot mount a directory onto /etc/passwd
	END
}

@test "a heredoc with its own #! runs as a program in /dev/pipes" {
	dockerfile <<-'END'
	FROM busybox
	ARG X=5
	RUN <<EOT
	#!/bin/busybox sh
	echo "$0 $X" > /out
	stat -c %a $0 >> /out
	ls /dev/pipes >> /out
	EOT
	END
	build
	is "$(in_t cat /out)" $'/dev/pipes/EOT 5\n755\nEOT'
	build_log && ended 0
	is "$(cached)" 2
	sed -i 's/%a/%A/' "$ctx/Dockerfile"
	build && has "$(in_t cat /out)" "-rwxr-xr-x"
}

@test "RUN --security=insecure and --network=host need --allow" {
	dockerfile <<-'END'
	FROM busybox
	RUN --security=insecure grep CapEff /proc/self/status > /cap; grep -c Seccomp:.2 /proc/self/status >> /cap; true
	RUN --network=host readlink /proc/self/ns/net > /net
	RUN grep CapEff /proc/self/status > /normal
	END
	build_log && ended 1
	has "$output" "security.insecure is not allowed"
	build_log --allow security.insecure && ended 1
	has "$output" "network.host is not allowed"
	build --allow security.insecure --allow network.host
	is "$(in_t cat /net)" "$(readlink /proc/self/ns/net)"
	is "$(in_t tail -1 /cap)" 0
	differ "$(in_t head -1 /cap)" "$(in_t cat /normal)"
	build_log --allow foo && ended 1
	has "$output" "ERROR: failed to build: unknown entitlement foo"
}

@test "--shm-size, --ulimit, --memory, --cgroup-parent" {
	dockerfile <<-'END'
	FROM busybox
	RUN ulimit -Sn > /l; ulimit -Hn >> /l; df -k /dev/shm | tail -1 | awk '{print $2}' >> /l; cat /proc/self/cgroup > /cg
	END
	build --shm-size 10m --ulimit nofile=123:456
	is "$(in_t cat /l | tr '\n' ' ')" "123 456 10240 "
	build_log --shm-size 10m --ulimit nofile=123:456 && is "$(cached)" 2
	build_log && is "$(cached)" 1
	local before
	before=$(cgroups)
	dockerfile <<<$'FROM busybox\nRUN head -c 150m /dev/zero | tail -c 150m'
	build_log --memory 20m && ended 1
	build --memory 500m
	is "$(cgroups)" "$before"
	build_log --memory 1m && ended 1
	has "$output" "Minimum memory limit allowed is 6MB"
}

# ---- --on-error=shell ----

# Builds at a terminal; what is typed once the shell is there comes from standard input.
build_typing() {
	command -v script >/dev/null || skip "needs script(1)"
	local out=$BATS_TEST_TMPDIR/typed status_file=$BATS_TEST_TMPDIR/status
	cat >"$BATS_TEST_TMPDIR/input"
	mkfifo "$BATS_TEST_TMPDIR/keys"
	: >"$out"
	{
		for _ in {1..100}; do
			grep -q 'the build ends when you leave' "$out" && break
			sleep 0.1
		done
		cat "$BATS_TEST_TMPDIR/input"
	} >"$BATS_TEST_TMPDIR/keys" 3>&- &
	timeout 60 script -qefc "stave build --progress=plain --on-error=shell -t t $* $ctx; echo \$? >$status_file" \
		"$out" <"$BATS_TEST_TMPDIR/keys" >/dev/null 2>&1 3>&- || true
	output=$(tr -d '\r' <"$out")
	status=$(cat "$status_file")
	rm "$BATS_TEST_TMPDIR/keys"
}

@test "on-error: a shell in the failed step, as it was" {
	mkdir "$ctx/src" && echo content >"$ctx/src/f"
	dockerfile <<-'END'
	FROM busybox AS other
	RUN sleep 20
	FROM busybox
	ENV NAME=value
	WORKDIR /home/app/w
	RUN chown app .
	USER app
	RUN --mount=source=src,target=/s --mount=type=tmpfs,target=/t --mount=type=secret,id=q,env=Q \
	    --mount=type=cache,target=/tmp/c,uid=1000 \
	    echo written > file; touch /t/in /tmp/c/cached; exit 7
	COPY --from=other / /
	END
	q=hidden build_typing --secret id=q <<-'END'
	echo "1 $(cat file /s/f) $(ls /t /tmp/c | xargs) $NAME $Q $(id -un) $PWD"
	touch more && ls more
	exit 3
	END
	ended 1
	has "$output" "exit 7 failed. This is a shell in it, as it was; the build ends when you leave."
	has "$output" $'1 written\ncontent /t: in /tmp/c: cached value hidden app /home/app/w'
	has "$output" $'\nmore\n'
	has "$output" "did not complete successfully: exit code: 7"
	is "$(grep -c 'exit code: 7' <<<"$output")" 2
	is "$(stave system check)" "no problems found"
	is "$(processes_left)" ""
	is "$(mounts_left)" ""
	is "$(find "$STAVE_ROOT/leases" -type f)" ""
}

@test "on-error: a command that is not there; the stage's own shell; only the first failure" {
	dockerfile <<-'END'
	FROM busybox
	SHELL ["/bin/ash", "-ec"]
	RUN ["/no/such", "program"]
	END
	build_typing <<<$'echo I am $0\nexit'
	ended 1
	has "$output" "I am /bin/ash"
	has "$output" "/no/such"
	dockerfile <<-'END'
	FROM busybox AS a
	RUN sleep 0.3; false a
	FROM busybox AS b
	RUN sleep 0.3; false b
	FROM busybox
	COPY --from=a / /
	COPY --from=b / /
	END
	build_typing <<<$'exit'
	ended 1
	is "$(grep -c 'the build ends when you leave' <<<"$output")" 1
	is "$(stave system check)" "no problems found"
}

@test "on-error: without a terminal it is refused before anything is built" {
	dockerfile <<<$'FROM busybox\nRUN false'
	run stave build --progress=plain --on-error=shell "$ctx" </dev/null
	ended 1
	has "$output" "there is no terminal for a shell"
	hasnt "$output" "#1"
	run stave build --on-error=debug "$ctx"
	ended 1
	has "$output" 'invalid argument "debug" for --on-error'
	build_log --on-error=fail
	ended 1
	has "$output" "exit code: 1"
}

@test "tmpfs on /dev/shm is instead of the one that is always there" {
	dockerfile <<-'E'
		FROM busybox
		RUN --mount=type=tmpfs,target=/dev/shm,size=1m mount | grep -c " /dev/shm " >/n
	E
	build
	is "$(in_t cat /n)" 1
}
