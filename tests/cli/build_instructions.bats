# SPDX-License-Identifier: Apache-2.0
# Every instruction of a Dockerfile, from the text to what is in the image.

load common

setup_file() {
	private_store
}

# ---- FROM, stages ----

@test "FROM scratch: the image has what was copied and nothing else" {
	mkdir "$ctx/bin"
	cp "$(command -v busybox)" "$ctx/bin/ls"
	dockerfile <<-'END'
	FROM scratch
	COPY bin/ls /bin/ls
	END
	build
	run stave run --rm --network none t /bin/ls /
	ended 0
	is "$(tr '\n' ' ' <<<"$output")" "bin dev etc proc sys "
	is "$(layers_of t | wc -l)" 1
}

@test "FROM image: its files, environment and command are inherited" {
	dockerfile <<-'END'
	FROM busybox
	ENV A=1
	CMD ["sh", "-c", "echo cmd $A"]
	END
	build
	stave tag t parent
	dockerfile <<-'END'
	FROM parent
	ENV B=2
	END
	build
	is "$(stave run --rm t)" "cmd 1"
	is "$(in_t sh -c 'echo $A$B')" 12
}

@test "FROM stage AS name: case does not matter, numbers name stages too" {
	dockerfile <<-'END'
	FROM busybox AS One
	RUN echo one > /one
	FROM ONE AS two
	RUN echo two > /two
	FROM busybox
	COPY --from=oNe /one /a
	COPY --from=1 /two /b
	END
	build
	is "$(in_t cat /a /b)" $'one\ntwo'
}

@test "FROM with an ARG in its name, and one given by --build-arg" {
	stave tag busybox base:special
	dockerfile <<-'END'
	ARG TAG=nowhere
	FROM base:${TAG}
	ARG TAG
	RUN echo "tag=$TAG" > /tag
	END
	build --build-arg TAG=special
	is "$(in_t cat /tag)" "tag=special"
}

@test "FROM --platform of this machine" {
	dockerfile <<-'END'
	FROM --platform=$BUILDPLATFORM busybox
	ARG TARGETOS TARGETARCH
	RUN echo "$TARGETOS/$TARGETARCH" > /p
	END
	build
	has "$(in_t cat /p)" "linux/"
	is "$(config '{{.Os}}')" linux
}

@test "--target builds that stage" {
	dockerfile <<-'END'
	FROM busybox AS first
	ENV S=first
	FROM busybox AS second
	ENV S=second
	FROM busybox
	ENV S=last
	END
	build --target second
	is "$(in_t sh -c 'echo $S')" second
	build --target 0
	is "$(in_t sh -c 'echo $S')" first
	build
	is "$(in_t sh -c 'echo $S')" last
}

# ---- ARG, ENV ----

@test "ARG: default, --build-arg, and a global one only where it is asked for" {
	dockerfile <<-'END'
	ARG GLOBAL=g
	FROM busybox
	ARG A=a
	ARG B=b
	RUN echo "[$A][$B][$GLOBAL]" > /1
	ARG GLOBAL
	RUN echo "[$A][$B][$GLOBAL]" > /2
	END
	build --build-arg B=given
	is "$(in_t cat /1 /2)" $'[a][given][]\n[a][given][g]'
	hasnt "$(config '{{json .Config.Env}}')" given
}

@test "ARG after ENV of the same name counts, and is not in the image" {
	dockerfile <<-'END'
	FROM busybox
	ENV D=4 E=4
	ARG D=5
	ARG E
	LABEL d=$D e=$E
	RUN echo "$D$E" > /x
	ENV D=7
	RUN echo "$D$E" >> /x
	END
	build --build-arg E=8
	is "$(in_t cat /x)" $'58\n78'
	is "$(config '{{.Config.Labels.d}}{{.Config.Labels.e}}')" 58
	is "$(in_t sh -c 'echo $D$E')" 74
	has "$(stave history --no-trunc --format '{{.CreatedBy}}' t)" 'RUN |2 D=5 E=8 /bin/sh -c'
}

@test "RUN: HOSTNAME is not in the environment of a step" {
	dockerfile <<-'END'
	FROM busybox
	RUN env > /e; hostname > /h
	END
	build
	hasnt "$(in_t cat /e)" HOSTNAME
	is "$(in_t cat /h)" buildkitsandbox
}

@test "ARG: a later ENV of the same name wins, a stage does not see another's" {
	dockerfile <<-'END'
	FROM busybox AS one
	ARG X=arg
	ENV X=env
	RUN echo "$X" > /x
	FROM busybox
	COPY --from=one /x /x
	RUN echo "[$X]" >> /x
	END
	build --build-arg X=given
	is "$(in_t cat /x)" $'env\n[]'
}

@test "ARG: predefined proxies reach RUN without being declared, and stay out of the image" {
	dockerfile <<-'END'
	FROM busybox
	RUN echo "$http_proxy $NO_PROXY" > /p
	END
	build --build-arg http_proxy=http://proxy.test:1 --build-arg NO_PROXY=local
	is "$(in_t cat /p)" "http://proxy.test:1 local"
	hasnt "$(stave inspect t)$(stave history --no-trunc t)" proxy.test
}

@test "--build-arg NAME takes the value of our environment" {
	dockerfile <<-'END'
	FROM busybox
	ARG FROM_US=no
	RUN echo "$FROM_US" > /v
	END
	FROM_US=yes build --build-arg FROM_US
	is "$(in_t cat /v)" yes
}

@test "ENV: both forms, several at once, quotes and the value before the line" {
	dockerfile <<-'END'
	FROM busybox
	ENV OLD a value with  spaces
	ENV A=1 B="two words" C=three\ words D='$A'
	ENV A=2 E=$A
	RUN for v in "$A" "$B" "$C" "$D" "$E" "$OLD"; do echo "$v"; done > /env
	END
	build
	is "$(in_t cat /env)" $'2\ntwo words\nthree words\n$A\n1\na value with  spaces'
}

@test "ENV: defaults and alternatives in expansion" {
	dockerfile <<-'END'
	FROM busybox
	ENV SET=s EMPTY=
	WORKDIR /${SET:+yes}/${NONE:-default}/${EMPTY:-e}/${NONE:+never}x
	END
	build
	is "$(in_t pwd)" /yes/default/e/x
}

# ---- RUN ----

@test "RUN: shell form and exec form" {
	dockerfile <<-'END'
	FROM busybox
	ENV V=value
	RUN echo "shell $V" > /shell && \
	    true
	RUN ["sh", "-c", "echo exec $0 > /exec", "$V"]
	END
	build
	is "$(in_t cat /shell /exec)" $'shell value\nexec $V'
}

@test "RUN: a heredoc is one script" {
	dockerfile <<-'END'
	FROM busybox
	ENV OUT=/out
	RUN <<EOF
	set -e
	echo first > $OUT
	echo "second line" >> $OUT
	EOF
	END
	build
	is "$(in_t cat /out)" $'first\nsecond line'
}

@test "RUN: a failing line of a heredoc under set -e fails the build" {
	dockerfile <<-'END'
	FROM busybox
	RUN <<EOF
	set -e
	false
	true
	EOF
	END
	run build
	[ "$status" -ne 0 ]
}

@test "RUN: removals and replacements reach the image" {
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir -p /d/e && echo 1 > /d/e/f && echo 2 > /d/g && ln -s g /d/l
	RUN rm -r /d/e && rm /d/l && mkdir /d/l && echo 3 > /d/g
	RUN rm -r /d && mkdir /d && echo new > /d/only
	END
	build
	is "$(in_t find /d -type f)" /d/only
	dockerfile <<-'END'
	FROM t
	RUN rm -rf /d && echo file > /d
	END
	build
	is "$(in_t cat /d)" file
}

@test "RUN: owners, modes, hard links, fifos and special bits stay" {
	dockerfile <<-'END'
	FROM busybox
	RUN echo x > /f && chown app:staff /f && chmod 4750 /f && ln /f /hard && mkfifo -m 622 /pipe \
	    && mkdir -m 1777 /sticky && ln -s /nowhere /dangling
	END
	build
	is "$(in_t stat -c '%a %u:%g %h' /f)" "4750 1000:50 2"
	is "$(in_t stat -c '%F %a' /pipe)" "fifo 622"
	is "$(in_t stat -c %a /sticky)" 1777
	is "$(in_t readlink /dangling)" /nowhere
	is "$(in_t sh -c '[ /f -ef /hard ] && echo same')" same
}

@test "RUN: nothing of the scaffolding stays in the layer" {
	# the base has no /proc, /dev, /sys, /etc/resolv.conf; the RUN sees them all the same
	dockerfile <<-END
	FROM busybox
	RUN test -s /etc/resolv.conf && test -s /etc/hosts && test -d /proc/self && test -c /dev/null \
	    && echo $MARK > /made
	END
	build
	is "$(newest_layer)" /made
}

# What is in the layer that was made last.
newest_layer() {
	local dir
	dir=$(find "$STAVE_ROOT/layers" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -n | tail -n 1)
	(cd "${dir#* }/fs" && find . -mindepth 1 | sed 's,^\.,,' | sort)
}

@test "RUN: what it writes into a declared VOLUME stays" {
	dockerfile <<-'END'
	FROM busybox
	VOLUME /data
	RUN mkdir -p /data && echo kept > /data/f
	END
	build
	is "$(in_t cat /data/f)" kept
}

@test "RUN --network=none has no way out, --network=host is ours where the build allows it" {
	dockerfile <<-'END'
	FROM busybox
	RUN --network=none ls /sys/class/net > /none
	RUN --network=host readlink /proc/self/ns/net > /host
	END
	run build
	ended 1
	has "$output" "network.host is not allowed"
	build --network host
	is "$(in_t cat /none)" lo
	is "$(in_t cat /host)" "$(readlink /proc/self/ns/net)"
}

@test "--network none for the whole build" {
	dockerfile <<-'END'
	FROM busybox
	RUN ls /sys/class/net > /net
	END
	build --network none
	is "$(in_t cat /net)" lo
}

@test "RUN runs with Docker's default capabilities and a seccomp filter" {
	dockerfile <<-'END'
	FROM busybox
	RUN grep -E 'CapEff|Seccomp:' /proc/self/status > /s
	END
	build
	is "$(in_t awk '{print $2}' /s)" $'00000000a80425fb\n2'
}

# ---- COPY, ADD ----

@test "COPY: files, several sources, a directory's contents, a name without slash" {
	mkdir -p "$ctx/d/sub" "$ctx/empty"
	echo a >"$ctx/a" && echo b >"$ctx/b" && echo c >"$ctx/d/c" && echo s >"$ctx/d/sub/s"
	dockerfile <<-'END'
	FROM busybox
	COPY a /one
	COPY a b /two/
	COPY d /three
	COPY d/ b /four/
	COPY empty /five
	WORKDIR /w
	COPY a .
	COPY a b ./rel/
	COPY ["a", "name with space"]
	END
	build
	is "$(in_t sh -c 'cat /one; find /two /three /four /five /w | sort')" "a
/five
/four
/four/b
/four/c
/four/sub
/four/sub/s
/three
/three/c
/three/sub
/three/sub/s
/two
/two/a
/two/b
/w
/w/a
/w/name with space
/w/rel
/w/rel/a
/w/rel/b"
}

@test "COPY: globs" {
	mkdir -p "$ctx/x/y"
	touch "$ctx/1.txt" "$ctx/2.txt" "$ctx/3.md" "$ctx/x/y/deep.txt" "$ctx/[ab].log" "$ctx/a.log"
	dockerfile <<-'END'
	FROM busybox
	COPY *.txt /star/
	COPY ?.md /question/
	COPY x/*/d*.txt /deep/
	COPY [a-c].log /class/
	COPY [[]ab].log /literal/
	COPY *.none /none/
	END
	build
	is "$(in_t find /star /question /deep /class /literal -type f | sort)" "/class/a.log
/deep/deep.txt
/literal/[ab].log
/question/3.md
/star/1.txt
/star/2.txt"
}

@test "COPY: modes, times, links, hard links and holes" {
	echo x >"$ctx/f" && chmod 6751 "$ctx/f" && touch -d @1234567890 "$ctx/f"
	mkdir "$ctx/d" && ln -s ../f "$ctx/d/link" && echo h >"$ctx/d/h1" && ln "$ctx/d/h1" "$ctx/d/h2"
	ln -s f "$ctx/tofile" && truncate -s 1M "$ctx/d/hole" && mkfifo "$ctx/d/pipe"
	dockerfile <<-'END'
	FROM busybox
	COPY f /f
	COPY d /d
	COPY tofile /followed
	END
	build
	is "$(in_t stat -c '%a %u:%g %Y' /f)" "6751 0:0 1234567890"
	is "$(in_t readlink /d/link)" ../f
	is "$(in_t sh -c '[ /d/h1 -ef /d/h2 ] && echo same')" same
	is "$(in_t stat -c '%F' /followed)" "regular file"
	is "$(in_t stat -c '%s' /d/hole)" 1048576
	is "$(in_t stat -c '%F' /d/pipe)" fifo
}

@test "COPY --chown: names, numbers, unknown; parents that it makes too" {
	echo a >"$ctx/a"
	dockerfile <<-'END'
	FROM busybox
	COPY --chown=app a /n/a
	COPY --chown=app:staff a /ns/a
	COPY --chown=77 a /77/a
	COPY --chown=1:2 a /12/a
	COPY --chown=:50 a /g/a
	ARG WHO=app
	COPY --chown=$WHO a /v/a
	COPY --chown=app:nobodys a /x/a
	COPY --chown=7:nobodys a /y/a
	COPY --chown=1000: a /z/a
	USER app
	COPY a /u/a
	END
	build
	is "$(in_t stat -c '%u:%g' /n /n/a /ns/a /77/a /12/a /v/a /u/a /x/a /y/a /z/a | xargs)" \
		"1000:1000 1000:1000 1000:50 77:77 1:2 1000:1000 0:0 1000:1000 7:7 1000:0"
}

@test "COPY --chmod: octal and symbolic" {
	mkdir "$ctx/d" && echo a >"$ctx/d/a" && chmod 644 "$ctx/d/a"
	dockerfile <<-'END'
	FROM busybox
	COPY --chmod=600 d/a /octal
	COPY --chmod=u=rwx,g=rx,o= d/a /symbolic
	COPY --chmod=750 d /dir
	COPY --chmod=4770 d/a /p/q/a
	COPY --chmod=g=rwx d/a /r/s/a
	END
	build
	is "$(in_t stat -c %a /octal /symbolic /dir/a | xargs)" "600 750 750"
	# an octal one is that of the directories it makes, too
	is "$(in_t stat -c %a /p /p/q /p/q/a /r /r/s /r/s/a | xargs)" "750 750 4770 755 755 674"
}

@test "COPY --from: stage, index, another image; --link is taken" {
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir /tree && echo there > /tree/file
	END
	stave build -q -t other "$ctx" >/dev/null
	dockerfile <<-'END'
	FROM busybox AS made
	RUN mkdir /out && echo made > /out/f && ln -s f /out/l
	FROM scratch AS middle
	COPY --from=made /out /m
	FROM busybox
	COPY --from=middle /m/f /by-name
	COPY --from=1 /m/l /by-number
	COPY --from=other /tree /image
	COPY --link --from=made /out/ /linked/
	END
	build
	is "$(in_t cat /by-name /by-number /image/file /linked/l)" $'made\nmade\nthere\nmade'
}

@test "COPY into a link of the image stays in the image" {
	echo new >"$ctx/f"
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir /real && ln -s /real /dirlink && echo old > /target && ln -s /target /filelink
	COPY f /dirlink/
	COPY f /filelink
	END
	build
	is "$(in_t sh -c 'cat /real/f /target; readlink /dirlink; readlink /filelink')" $'new\nnew\n/real\n/target'
}

@test "COPY <<: the heredoc is the file; its name says whether it expands" {
	dockerfile <<-'END'
	FROM busybox
	ENV WHO=world
	COPY <<one <<'two' /dir/
	hello $WHO
	one
	hello $WHO
	two
	COPY --chmod=755 <<-EOF /script
		#!/bin/sh
		echo script
	EOF
	END
	build
	is "$(in_t cat /dir/one /dir/two)" $'hello world\nhello $WHO'
	is "$(in_t /script)" script
}

@test "ADD unpacks tar, gzip, bzip2, xz and zstd by content, copies the rest" {
	mkdir -p "$ctx/tree/dir"
	echo inside >"$ctx/tree/dir/f"
	tar -C "$ctx/tree" --owner=5 --group=6 -cf "$ctx/plain.bin" .
	gzip -c "$ctx/plain.bin" >"$ctx/t.tar.gz"
	xz -c "$ctx/plain.bin" >"$ctx/t.tar.xz"
	zstd -qc "$ctx/plain.bin" >"$ctx/t.tar.zst"
	echo text | gzip -c >"$ctx/text.gz"
	dockerfile <<-'END'
	FROM busybox
	ADD plain.bin /plain/
	ADD t.tar.gz /gz
	ADD t.tar.xz /xz/
	ADD t.tar.zst /zst/
	ADD text.gz /text/
	COPY t.tar.gz /copied/
	ADD tree /dir
	END
	build
	is "$(in_t cat /plain/dir/f /gz/dir/f /xz/dir/f /zst/dir/f /dir/dir/f | sort -u)" inside
	is "$(in_t stat -c %u:%g /plain/dir/f)" 5:6
	is "$(in_t ls /text /copied | xargs)" "/copied: t.tar.gz /text: text.gz"
}

# ---- WORKDIR, USER ----

@test "WORKDIR: made, relative to the one before, expanded, of the USER" {
	dockerfile <<-'END'
	FROM busybox
	ENV D=dir
	WORKDIR /a
	WORKDIR b/$D
	RUN pwd > /where
	USER app
	WORKDIR own
	RUN touch mine
	END
	build
	is "$(in_t sh -c 'cat /where; pwd; stat -c %U:%G . mine')" $'/a/b/dir\n/a/b/dir/own\napp:app\napp:app'
	is "$(config '{{.Config.WorkingDir}}')" /a/b/dir/own
}

@test "USER: name, name:group, number; supplementary groups; RUN and run" {
	dockerfile <<-'END'
	FROM busybox
	USER app
	RUN id -u > /tmp/1; id -G >> /tmp/1; echo $HOME >> /tmp/1
	USER app:50
	RUN id -g > /tmp/2
	USER 1234:99
	END
	build
	is "$(in_t cat /tmp/1 /tmp/2)" $'1000\n1000 50\n/home/app\n50'
	is "$(in_t id | sed 's/ groups.*//')" "uid=1234 gid=99"
}

# ---- config ----

@test "LABEL and --label" {
	dockerfile <<-'END'
	FROM busybox
	LABEL one=1 "two words"="a value" \
	      three='$not'
	LABEL over=file
	END
	build --label over=line --label extra=yes
	is "$(config '{{index .Config.Labels "two words"}}')" "a value"
	is "$(config '{{json .Config.Labels}}')" \
		'{"extra":"yes","one":"1","over":"line","three":"$not","two words":"a value"}'
}

@test "EXPOSE: protocols and ranges" {
	dockerfile <<-'END'
	FROM busybox
	EXPOSE 80 53/udp 8000-8002
	END
	build
	is "$(config '{{json .Config.ExposedPorts}}')" \
		'{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{},"8002/tcp":{}}'
}

@test "VOLUME: words and JSON" {
	dockerfile <<-'END'
	FROM busybox
	VOLUME /a /b
	VOLUME ["/c"]
	END
	build
	is "$(config '{{json .Config.Volumes}}')" '{"/a":{},"/b":{},"/c":{}}'
}

@test "CMD, ENTRYPOINT: both forms; ENTRYPOINT resets an inherited CMD" {
	dockerfile <<-'END'
	FROM busybox
	CMD echo shell $0
	END
	build
	is "$(config '{{json .Config.Cmd}}')" '["/bin/sh","-c","echo shell $0"]'
	stave tag t with-cmd
	dockerfile <<-'END'
	FROM with-cmd
	ENTRYPOINT ["echo", "entry"]
	END
	build
	is "$(config '{{json .Config.Entrypoint}} {{json .Config.Cmd}}')" '["echo","entry"] null'
	is "$(in_t x y)" "entry x y"
}

@test "SHELL, STOPSIGNAL, MAINTAINER" {
	dockerfile <<-'END'
	FROM busybox
	SHELL ["/bin/sh", "-xc"]
	RUN echo traced 2> /dev/null > /t
	STOPSIGNAL SIGQUIT
	MAINTAINER Somebody <some@body.test>
	CMD true
	END
	build
	is "$(config '{{.Config.StopSignal}}')" SIGQUIT
	is "$(config '{{.Author}}')" "Somebody <some@body.test>"
	is "$(config '{{json .Config.Shell}} {{json .Config.Cmd}}')" \
		'["/bin/sh","-xc"] ["/bin/sh","-xc","true"]'
}

@test "HEALTHCHECK: options, NONE" {
	dockerfile <<-'END'
	FROM busybox
	HEALTHCHECK --interval=5s --timeout=1s --retries=4 --start-period=2s CMD test -e /ok
	END
	build
	is "$(config '{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}')" \
		'["CMD-SHELL","test -e /ok"] 4'
	has "$(config '{{json .Config.Healthcheck}}')" '"Interval":5000000000'
	dockerfile <<-'END'
	FROM busybox
	HEALTHCHECK NONE
	END
	build
	is "$(config '{{json .Config.Healthcheck.Test}}')" '["NONE"]'
}

@test "ONBUILD: kept in the parent, done in the child, not inherited further" {
	echo src >"$ctx/src"
	dockerfile <<-'END'
	FROM busybox
	ONBUILD COPY src /src
	ONBUILD RUN cat /src > /ran
	END
	build
	is "$(config '{{json .Config.OnBuild}}')" '["COPY src /src","RUN cat /src > /ran"]'
	stave tag t trigger
	printf 'FROM trigger\n' | dockerfile
	build
	is "$(in_t cat /ran)" src
	is "$(config '{{json .Config.OnBuild}}')" null
}

# ---- the language ----

@test "comments, blank lines, continuation, lower case" {
	dockerfile <<-'END'
	# a comment

	from busybox
	run echo one \
	    # a comment inside
	    two \

	    three > /words
	  # indented comment
	copy Dockerfile /
	END
	build
	is "$(in_t cat /words)" "one two three"
}

@test "the escape directive" {
	dockerfile <<-'END'
	# escape=`
	FROM busybox
	RUN echo one `
	    'back\slash' > /words
	END
	build
	is "$(in_t cat /words)" 'one back\slash'
}

# ---- context and Dockerfile ----

@test ".dockerignore: patterns, exceptions, and the Dockerfile itself" {
	mkdir -p "$ctx/node_modules/x" "$ctx/src/deep"
	touch "$ctx/node_modules/x/y" "$ctx/src/a.c" "$ctx/src/a.o" "$ctx/src/deep/b.o" "$ctx/src/keep.o" "$ctx/.env"
	printf '%s\n' '# comment' node_modules '**/*.o' '!src/keep.o' .env Dockerfile .dockerignore >"$ctx/.dockerignore"
	dockerfile <<-'END'
	FROM busybox
	COPY . /c
	END
	build
	is "$(in_t find /c -type f | sort | xargs)" "/c/src/a.c /c/src/keep.o"
}

@test "<Dockerfile>.dockerignore comes before .dockerignore" {
	touch "$ctx/a" "$ctx/b"
	echo a >"$ctx/.dockerignore"
	printf 'b\n*ocker*\n' >"$ctx/other.Dockerfile.dockerignore"
	printf 'FROM busybox\nCOPY . /c\n' >"$ctx/other.Dockerfile"
	stave build -q -t t -f "$ctx/other.Dockerfile" "$ctx" >/dev/null
	is "$(in_t ls -A /c)" a
}

@test "-f: a path outside the context, -, and the lower-case name" {
	touch "$ctx/here"
	printf 'FROM busybox\nCOPY here /\nENV F=outside\n' >"$BATS_TEST_TMPDIR/df"
	build -f "$BATS_TEST_TMPDIR/df"
	is "$(in_t sh -c 'echo $F')" outside
	printf 'FROM busybox\nCOPY here /\nENV F=stdin\n' | stave build -q -t t -f - "$ctx"
	is "$(in_t sh -c 'echo $F')" stdin
	printf 'FROM busybox\nENV F=lower\n' >"$ctx/dockerfile"
	build
	is "$(in_t sh -c 'echo $F')" lower
}

@test "context -: a Dockerfile, a tar, a compressed tar on standard input" {
	printf 'FROM busybox\nENV F=dockerfile\n' | stave build -q -t t - >/dev/null
	is "$(in_t sh -c 'echo $F')" dockerfile
	echo content >"$ctx/file"
	dockerfile <<-'END'
	FROM busybox
	COPY file /
	END
	tar -C "$ctx" -c . | stave build -q -t t - >/dev/null
	is "$(in_t cat /file)" content
	echo other >"$ctx/file"
	tar -C "$ctx" -cz . | stave build -q -t t - >/dev/null
	is "$(in_t cat /file)" other
	mv "$ctx/Dockerfile" "$ctx/named"
	tar -C "$ctx" -c . | stave build -q -t t -f named - >/dev/null
	is "$(in_t cat /file)" other
}

# ---- what the command says ----

@test "-q prints the image id alone; --iidfile has it; several -t name it" {
	printf 'FROM busybox\nENV A=1\n' | dockerfile
	run --separate-stderr stave build -q --iidfile "$BATS_TEST_TMPDIR/iid" -t n1 -t n2:tag -t reg.test/n3 "$ctx"
	ended 0
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	is "$stderr" ""
	is "$(cat "$BATS_TEST_TMPDIR/iid")" "$output"
	is "$(stave inspect --format '{{.Id}}' n1)" "$output"
	is "$(stave inspect --format '{{.Id}}' n2:tag)" "$output"
	is "$(stave inspect --format '{{.Id}}' reg.test/n3:latest)" "$output"
}

@test "progress goes to standard error, standard output stays empty" {
	printf 'FROM busybox\nRUN echo said by the step\n' | dockerfile
	run --separate-stderr stave build --progress=plain --no-cache -t t "$ctx"
	ended 0
	is "$output" ""
	has "$stderr" "said by the step"
}

@test "--runtime crun runs the same steps" {
	dockerfile <<-'END'
	FROM busybox
	RUN echo by another > /r
	END
	build --runtime crun --no-cache
	is "$(in_t cat /r)" "by another"
	is "$(stave run --rm --network none --runtime crun t cat /r)" "by another"
}
