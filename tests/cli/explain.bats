# SPDX-License-Identifier: Apache-2.0
# Why a step ran again: each kind of change is named exactly, and nothing else is.

load common

setup_file() {
	private_store
}

# What one test built must not be in the cache of another.
setup() {
	common_setup
	cp -a "$STAVE_ROOT" "$BATS_TEST_TMPDIR/store"
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
}

# A project that has one of everything; each test changes one thing.
project() {
	mkdir -p "$ctx/src/sub"
	echo a >"$ctx/src/a"
	echo b >"$ctx/src/b"
	echo c >"$ctx/src/sub/c"
	ln -s a "$ctx/src/link"
	echo one >"$ctx/one"
	chmod -R u=rwX,go=rX "$ctx"
	dockerfile <<-'END'
	FROM busybox
	ARG A=1
	ENV E=1
	RUN echo $A $E > /env
	COPY src /src
	RUN cat /src/a > /copy
	END
}

# Builds, and says why it did.
explained() { stave build -q -t t --explain "$@" "$ctx" 2>&1 >/dev/null; }

# Builds once, so that there is something to compare with.
before() { stave build -q -t t "$@" "$ctx" >/dev/null; }

# The explanation of the build is what stands on standard input, word for word.
says() {
	local expected
	expected=$(cat)
	is "$(explained "$@")" "$expected"
}

# In the lists of the project, a change in src makes these two run.
says_of_src() {
	says <<-END
	[3/4] COPY src /src ran, because
	$(printf '    %s\n' "$@")
	[4/4] RUN cat /src/a > /copy ran, because
	    step [3/4] ran again
	END
}

edit() { sed -i "$@" "$ctx/Dockerfile"; }

# ---- nothing ----

@test "explain: nothing changed" {
	project
	before
	says <<-END
	every step came from the cache
	END
}

@test "explain: what is no part of a key is no reason" {
	project
	before
	touch "$ctx/src/a"
	echo new >"$ctx/not-copied"
	edit -e '1i # a comment' -e '$a LABEL x=y\nCMD ["x"]'
	says --label l=1 --build-arg UNUSED=1 <<-END
	every step came from the cache
	END
}

@test "explain: the first build" {
	project
	says <<-END
	3 steps ran, because
	    there is no record of an earlier build of this
	END
}

# ---- files ----

@test "explain: a file's content" {
	project
	before
	echo x >"$ctx/src/a"
	says_of_src 'src/a: content changed'
}

@test "explain: a file's mode" {
	project
	before
	chmod 755 "$ctx/src/b"
	says_of_src 'src/b: mode 0644 → 0755'
}

@test "explain: content and mode of one file" {
	project
	before
	echo x >"$ctx/src/b"
	chmod 600 "$ctx/src/b"
	says_of_src 'src/b: content changed, mode 0644 → 0600'
}

@test "explain: a directory's mode" {
	project
	before
	chmod 700 "$ctx/src/sub"
	says_of_src 'src/sub: mode 0755 → 0700'
}

@test "explain: a file added" {
	project
	before
	echo n >"$ctx/src/sub/new"
	says_of_src 'src/sub/new: added'
}

@test "explain: a file removed" {
	project
	before
	rm "$ctx/src/b"
	says_of_src 'src/b: removed'
}

@test "explain: a file renamed" {
	project
	before
	mv "$ctx/src/b" "$ctx/src/d"
	says_of_src 'src/d: added' 'src/b: removed'
}

@test "explain: a link's target" {
	project
	before
	ln -sfn b "$ctx/src/link"
	says_of_src 'src/link: link a → b'
}

@test "explain: a file became a link" {
	project
	before
	ln -sf a "$ctx/src/b"
	says_of_src 'src/b: type file → link'
}

@test "explain: a file became a directory" {
	project
	before
	rm "$ctx/src/b"
	mkdir "$ctx/src/b"
	chmod 755 "$ctx/src/b"
	says_of_src 'src/b: type file → directory'
}

@test "explain: a directory with files was added" {
	project
	before
	mkdir -p "$ctx/src/new/er"
	echo n | tee "$ctx/src/new/f" >"$ctx/src/new/er/g"
	says_of_src 'src/new/er/g: added' 'src/new/f: added'
}

@test "explain: an empty directory was added, another removed" {
	project
	mkdir "$ctx/src/old"
	before
	rmdir "$ctx/src/old"
	mkdir "$ctx/src/new"
	says_of_src 'src/new: added' 'src/old: removed'
}

@test "explain: a directory with files was removed" {
	project
	before
	rm -r "$ctx/src/sub"
	says_of_src 'src/sub/c: removed'
}

@test "explain: extended attributes" {
	project
	setfattr -n user.x -v 1 "$ctx/src/a"
	before
	setfattr -n user.x -v 2 "$ctx/src/a"
	says_of_src 'src/a: extended attributes changed'
	setfattr -x user.x "$ctx/src/a"
	says_of_src 'src/a: extended attributes changed'
	setfattr -n user.x -v 1 "$ctx/src/b"
	says_of_src 'src/b: extended attributes changed'
	echo y >"$ctx/src/b"
	says_of_src 'src/b: content changed'
}

@test "explain: several files at once" {
	project
	before
	echo x >"$ctx/src/a"
	echo n >"$ctx/src/n"
	rm "$ctx/src/sub/c"
	says_of_src 'src/a: content changed' 'src/n: added' 'src/sub/c: removed'
}

@test "explain: a file that .dockerignore hides now, and one it hides no more" {
	project
	echo 'src/b' >"$ctx/.dockerignore"
	before
	echo 'src/sub' >"$ctx/.dockerignore"
	says_of_src 'src/b: added' 'src/sub/c: removed'
}

@test "explain: only the COPY that takes the file" {
	dockerfile <<-'END'
	FROM busybox
	COPY one /
	COPY two /
	COPY *.txt /txt/
	END
	echo 1 >"$ctx/one"
	echo 2 >"$ctx/two"
	echo 3 >"$ctx/3.txt"
	before
	echo x >"$ctx/two"
	echo 4 >"$ctx/4.txt"
	says <<-END
	[3/4] COPY two / ran, because
	    two: content changed
	[4/4] COPY *.txt /txt/ ran, because
	    4.txt: added
	    step [3/4] ran again
	END
}

@test "explain: the whole context, and a link among the sources" {
	mkdir -p "$ctx/real" "$ctx/other"
	echo 1 >"$ctx/real/f"
	echo 1 >"$ctx/other/f"
	ln -s real "$ctx/l"
	dockerfile <<-'END'
	FROM busybox
	COPY l /l
	END
	before
	ln -sfn other "$ctx/l"
	says <<-END
	[2/2] COPY l /l ran, because
	    l: link real → other
	END
	rm "$ctx/l"
	ln -s real "$ctx/l"
	echo 2 >"$ctx/real/f"
	says <<-END
	[2/2] COPY l /l ran, because
	    l: link other → real
	    l/f: content changed
	END
}

@test "explain: more files than one wants to read" {
	project
	before
	for i in $(seq 30); do echo "$i" >"$ctx/src/n$i"; done
	has "$(explained)" 'and 10 more'
	run stave build why --all 3
	is "$(grep -c ': added' <<<"$output")" 30
}

# ---- variables ----

@test "explain: the default of an ARG" {
	project
	before
	edit 's/A=1/A=2/'
	says <<-END
	[2/4] RUN echo \$A \$E > /env ran, because
	    ARG A has another value
	[3/4] COPY src /src ran, because
	    step [2/4] ran again
	[4/4] RUN cat /src/a > /copy ran, because
	    ARG A has another value
	    step [3/4] ran again
	END
}

@test "explain: --build-arg" {
	project
	edit '/^RUN cat/d'
	before
	says --build-arg A=2 <<-END
	[2/3] RUN echo \$A \$E > /env ran, because
	    ARG A has another value
	[3/3] COPY src /src ran, because
	    step [2/3] ran again
	END
}

@test "explain: an ARG added and one removed" {
	project
	edit '/^COPY/,$d'
	before
	edit 's/ARG A=1/ARG B=1/'
	says <<-END
	[2/2] RUN echo \$A \$E > /env ran, because
	    ARG B was added
	    ARG A was removed
	END
}

@test "explain: an ENV changed, added, removed" {
	project
	edit '/^COPY/,$d'
	before
	edit 's/ENV E=1/ENV E=2/'
	says <<-END
	[2/2] RUN echo \$A \$E > /env ran, because
	    ENV E has another value
	END
	edit 's/ENV E=2/ENV E=2 F=1/'
	says <<-END
	[2/2] RUN echo \$A \$E > /env ran, because
	    ENV F was added
	END
	edit 's/ENV E=2 F=1/ENV F=1/'
	says <<-END
	[2/2] RUN echo \$A \$E > /env ran, because
	    ENV E was removed
	END
}

@test "explain: variables in another order" {
	dockerfile <<-'END'
	FROM busybox
	ENV B=1 C=2
	RUN true
	END
	before
	edit 's/B=1 C=2/C=2 B=1/'
	says <<-END
	[2/2] RUN true ran, because
	    the ENVs are in another order
	END
}

@test "explain: an ARG in the words of COPY, an ENV in those of WORKDIR" {
	project
	dockerfile <<-'END'
	FROM busybox
	ARG TO=/x
	ENV DIR=/w
	COPY one $TO/
	WORKDIR $DIR
	END
	before
	edit 's/DIR=.w/DIR=\/v/'
	says <<-END
	[3/3] WORKDIR /v ran, because
	    ENV DIR has another value
	END
	says --build-arg TO=/y <<-END
	[2/3] COPY one /y/ ran, because
	    ARG TO has another value
	[3/3] WORKDIR /v ran, because
	    step [2/3] ran again
	END
}

@test "explain: values of variables are kept nowhere" {
	dockerfile <<-'END'
	FROM busybox
	ARG WORD
	RUN true $WORD
	END
	before --build-arg WORD=hocuspocus1
	explained --build-arg WORD=hocuspocus2 >"$BATS_TEST_TMPDIR/said"
	stave build why --format json >>"$BATS_TEST_TMPDIR/said"
	grep -q 'ARG WORD' "$BATS_TEST_TMPDIR/said"
	! grep -q hocuspocus "$BATS_TEST_TMPDIR/said"
	! grep -rq hocuspocus "$STAVE_ROOT/history"
}

# ---- instructions ----

@test "explain: the text of a RUN" {
	project
	before
	edit 's/cat .src.a/cat \/src\/b/'
	says <<-END
	[4/4] RUN cat /src/b > /copy ran, because
	    the instruction changed: RUN cat /src/a > /copy → RUN cat /src/b > /copy
	END
}

@test "explain: --chmod, --chown and the destination of a COPY" {
	project
	edit '/^RUN/d'
	before
	edit 's/COPY src/COPY --chmod=600 src/'
	says <<-END
	[2/2] COPY --chmod=600 src /src ran, because
	    the instruction changed: COPY src /src → COPY --chmod=600 src /src
	END
	edit 's/chmod=600/chown=7/'
	says <<-END
	[2/2] COPY --chown=7 src /src ran, because
	    the instruction changed: COPY --chmod=600 src /src → COPY --chown=7 src /src
	END
	edit 's/src$/dst/'
	says <<-END
	[2/2] COPY --chown=7 src /dst ran, because
	    the instruction changed: COPY --chown=7 src /src → COPY --chown=7 src /dst
	END
}

@test "explain: an edited COPY whose files changed as well" {
	project
	edit '/^RUN/d'
	before
	edit 's/src$/dst/'
	echo x >"$ctx/src/a"
	says <<-END
	[2/2] COPY src /dst ran, because
	    the instruction changed: COPY src /src → COPY src /dst
	    src/a: content changed
	END
}

@test "explain: more sources are not more reasons" {
	project
	edit '/^RUN/d'
	before
	edit 's/COPY src/COPY src one/; s/src$/src\//'
	says <<-END
	[2/2] COPY src one /src/ ran, because
	    the instruction changed: COPY src /src → COPY src one /src/
	END
}

@test "explain: a new instruction in the midst" {
	project
	before
	edit '/^COPY/i RUN echo new > /new'
	says <<-END
	[3/5] RUN echo new > /new ran, because
	    no earlier build had this instruction
	[4/5] COPY src /src ran, because
	    step [3/5] is new
	[5/5] RUN cat /src/a > /copy ran, because
	    step [4/5] ran again
	END
}

@test "explain: an instruction is gone" {
	project
	before
	edit '/^RUN echo/d'
	says <<-END
	[2/3] COPY src /src ran, because
	    an instruction below it is gone: RUN echo \$A \$E > /env
	[3/3] RUN cat /src/a > /copy ran, because
	    step [2/3] ran again
	END
}

@test "explain: the SHELL" {
	dockerfile <<-'END'
	FROM busybox
	SHELL ["/bin/sh", "-c"]
	RUN true
	END
	before
	edit 's/"-c"/"-ec"/'
	says <<-END
	[2/2] RUN true ran, because
	    shell changed: /bin/sh -c → /bin/sh -ec
	END
}

@test "explain: the USER" {
	dockerfile <<-'END'
	FROM busybox
	USER root
	RUN true
	END
	before
	edit 's/USER root/USER app/'
	says <<-END
	[2/2] RUN true ran, because
	    user changed: root → app
	END
}

@test "explain: WORKDIR, for what comes after it" {
	dockerfile <<-'END'
	FROM busybox
	WORKDIR /w
	COPY one one
	RUN true
	END
	echo 1 >"$ctx/one"
	before
	edit 's/\/w/\/v/'
	says <<-END
	[2/4] WORKDIR /v ran, because
	    the instruction changed: WORKDIR /w → WORKDIR /v
	[3/4] COPY one one ran, because
	    destination changed: /w/one → /v/one
	    step [2/4] ran again
	[4/4] RUN true ran, because
	    working directory changed: /w → /v
	    step [3/4] ran again
	END
}

@test "explain: the heredoc of a RUN" {
	printf '%s\n' 'FROM busybox' 'RUN <<END' 'echo 1' END >"$ctx/Dockerfile"
	before
	edit 's/echo 1/echo 2/'
	says <<-'EOT'
	[2/2] RUN <<END ran, because
	    the text of its heredoc changed
	EOT
}

@test "explain: the heredoc of a COPY" {
	printf '%s\n' 'FROM busybox' 'COPY <<END /f' 'text' END >"$ctx/Dockerfile"
	before
	edit 's/text/other/'
	says <<-'EOT'
	[2/2] COPY <<END /f ran, because
	    the heredoc <<END: content changed
	EOT
}

# ---- the base ----

base() { # NAME, words for the tree's file /base
	echo "$2" >"$BATS_FILE_TMPDIR/base/base"
	tar -C "$BATS_FILE_TMPDIR/base" --owner=0 --group=0 --mtime=@1 -c . |
		stave import "${@:3}" - "$1" >/dev/null
	rm "$BATS_FILE_TMPDIR/base/base"
}

short() { stave inspect --format '{{.Id}}' "$1" | cut -c 1-19; }

@test "explain: the base moved" {
	local old
	base moving 1
	old=$(short moving)
	printf '%s\n' 'FROM moving' 'RUN true' >"$ctx/Dockerfile"
	before
	base moving 2
	says <<-END
	[2/2] RUN true ran, because
	    the base moved: FROM moving was $old and is $(short moving) now
	END
}

@test "explain: the base has another ENV, and the same files" {
	local old
	base env-base 1 -c 'ENV X=1'
	old=$(short env-base)
	printf '%s\n' 'FROM env-base' 'RUN true' >"$ctx/Dockerfile"
	before
	base env-base 1 -c 'ENV X=2'
	says <<-END
	[2/2] RUN true ran, because
	    ENV X has another value
	    the base moved: FROM env-base was $old and is $(short env-base) now
	END
}

@test "explain: another base" {
	base other-base 1
	printf '%s\n' 'FROM busybox' 'RUN true' >"$ctx/Dockerfile"
	before
	edit s/busybox/other-base/
	says <<-END
	[2/2] RUN true ran, because
	    another base: FROM busybox → FROM other-base ($(short busybox) → $(short other-base))
	END
}

@test "explain: the image behind --from moved" {
	local old
	base donor 1
	old=$(short donor)
	printf '%s\n' 'FROM busybox' 'COPY --from=donor /base /base' >"$ctx/Dockerfile"
	before
	base donor 2
	says <<-END
	[2/2] COPY --from=donor /base /base ran, because
	    base: content changed
	    the base moved: FROM donor was $old and is $(short donor) now
	END
}

# ---- stages ----

stages() {
	echo 1 >"$ctx/one"
	dockerfile <<-'END'
	FROM busybox AS builder
	COPY one /in
	RUN cat /in > /out
	FROM busybox
	RUN true
	COPY --from=builder /out /out
	END
}

@test "explain: through a stage to the first cause" {
	stages
	before
	echo 2 >"$ctx/one"
	says <<-END
	[builder 2/3] COPY one /in ran, because
	    one: content changed
	[builder 3/3] RUN cat /in > /out ran, because
	    step [builder 2/3] ran again
	[stage-1 3/3] COPY --from=builder /out /out ran, because
	    out: content changed
	    step [builder 3/3] ran again
	END
	run stave build why '[stage-1 3/3]'
	is "$output" "[stage-1 3/3] COPY --from=builder /out /out ran, because
    out: content changed
    step [builder 3/3] ran again
[builder 3/3] RUN cat /in > /out ran, because
    step [builder 2/3] ran again
[builder 2/3] COPY one /in ran, because
    one: content changed"
}

@test "explain: a stage that gives the same again is no reason" {
	stages
	edit 's/cat .in/true/'
	before
	echo 2 >"$ctx/one"
	says <<-END
	[builder 2/3] COPY one /in ran, because
	    one: content changed
	[builder 3/3] RUN true > /out ran, because
	    step [builder 2/3] ran again
	END
}

@test "explain: an owner in another stage" {
	dockerfile <<-'END'
	FROM busybox AS builder
	RUN echo 1 > /out; touch -d @0 /out; chown 1:2 /out
	FROM busybox
	COPY --from=builder /out /out
	END
	before
	edit 's/1:2/3:4/'
	has "$(explained)" "
    out: owner 1:2 → 3:4
    step [builder 2/2] ran again"
}

@test "explain: another stage was built before, the target is the same" {
	stages
	before --target builder
	before
	echo 2 >"$ctx/one"
	before --target builder
	says <<-END
	[stage-1 3/3] COPY --from=builder /out /out ran, because
	    out: content changed
	    step [builder 3/3] is another than last time (and was in the cache)
	END
}

# ---- mounts ----

@test "explain: the files of a mount" {
	mkdir "$ctx/src"
	echo 1 >"$ctx/src/a"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=source=src,target=/m cat /m/a
	END
	before
	echo 2 >"$ctx/src/a"
	says <<-END
	[internal] --mount source=src ran, because
	    src/a: content changed
	[2/2] RUN --mount=source=src,target=/m cat /m/a ran, because
	    src/a: content changed
	END
}

@test "explain: a mount of another stage" {
	echo 1 >"$ctx/one"
	dockerfile <<-'END'
	FROM busybox AS builder
	COPY one /in/
	FROM busybox
	RUN --mount=from=builder,source=/in,target=/m cat /m/one
	END
	before
	echo 2 >"$ctx/one"
	says <<-END
	[builder 2/2] COPY one /in/ ran, because
	    one: content changed
	[stage-1 2/2] RUN --mount=from=builder,source=/in,target=/m cat /m/one ran, because
	    in/one: content changed
	    step [builder 2/2] ran again
	END
}

@test "explain: a directory that is a named context" {
	mkdir "$BATS_TEST_TMPDIR/named"
	echo 1 >"$BATS_TEST_TMPDIR/named/f"
	printf '%s\n' 'FROM busybox' 'COPY --from=n f /' >"$ctx/Dockerfile"
	before --build-context n="$BATS_TEST_TMPDIR/named"
	echo 2 >"$BATS_TEST_TMPDIR/named/f"
	says --build-context n="$BATS_TEST_TMPDIR/named" <<-END
	[2/2] COPY --from=n f / ran, because
	    f: content changed
	END
}

@test "explain: --memory and --ulimit" {
	printf '%s\n' 'FROM busybox' 'RUN true' >"$ctx/Dockerfile"
	before
	says --memory 64m <<-END
	[2/2] RUN true ran, because
	    memory changed: none → 67108864
	END
	before
	says --ulimit nofile=99 <<-END
	[2/2] RUN true ran, because
	    ulimits changed: none → RLIMIT_NOFILE=99:99
	END
}

@test "log: a secret that a step prints is shown and not kept" {
	local i
	printf 'hocus-pocus\nabracadabra\n' >"$BATS_TEST_TMPDIR/secret"
	dockerfile <<-'END'
	FROM busybox
	RUN --mount=type=secret,id=s cat /run/secrets/s; head -c 6 /run/secrets/s; sleep 0.2; tail -c +7 /run/secrets/s; echo end
	END
	run stave build --progress=plain --secret id=s,src="$BATS_TEST_TMPDIR/secret" "$ctx"
	ended 0
	has "$output" hocus-pocus
	is "$(stave build log 2)" "***
***
***
***
end"
	! grep -rq -e hocus-pocus -e abracadabra "$STAVE_ROOT"
	# what can be read only once cannot be looked for: nothing is kept
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	printf hocus-pocus >"$BATS_TEST_TMPDIR/pipe" &
	stave build -q --no-cache --secret id=s,src="$BATS_TEST_TMPDIR/pipe" "$ctx" >/dev/null
	run stave build log 2
	ended 1
	has "$output" 'is not kept'
	! grep -rq -e hocus-pocus "$STAVE_ROOT"
}

# ---- what was asked for, and what the cache has lost ----

@test "explain: --no-cache and its filter" {
	stages
	before
	says --no-cache <<-END
	4 steps ran, because
	    --no-cache asked for it
	END
	says --no-cache-filter builder <<-END
	2 steps ran, because
	    --no-cache-filter asked for it
	END
}

@test "explain: --network, --add-host, SOURCE_DATE_EPOCH" {
	printf '%s\n' 'FROM busybox' 'RUN true' >"$ctx/Dockerfile"
	before
	says --network none <<-END
	[2/2] RUN true ran, because
	    network changed: default → none
	END
	before
	says --add-host a:1.2.3.4 <<-END
	[2/2] RUN true ran, because
	    added hosts changed: none → a:1.2.3.4
	END
	before
	says --build-arg SOURCE_DATE_EPOCH=5 <<-END
	[2/2] RUN true ran, because
	    SOURCE_DATE_EPOCH changed: none → 5
	END
}

@test "explain: it failed last time" {
	printf '%s\n' 'FROM busybox' 'RUN test -e /proc/self/nowhere' >"$ctx/Dockerfile"
	run stave build -q --explain "$ctx"
	ended 1
	has "$output" '[2/2] RUN test -e /proc/self/nowhere ran and failed, because'
	run stave build -q --explain "$ctx"
	has "$output" 'it did not come to its end last time'
}

@test "explain: other versions make other keys" {
	project
	before
	sed -i 's/"version":"[^"]*"/"version":"older"/; s/"key":"sha256:..../"key":"sha256:0000/' \
		"$STAVE_ROOT"/history/build-*
	edit 's/> .env/> \/env2/'
	has "$(explained)" 'this version of stave makes keys in another way'
}

@test "explain: two builds ago it was like this, and still the difference is to the last one" {
	project
	edit '/^RUN echo/d'
	before
	echo 2 >"$ctx/src/a"
	before
	echo a >"$ctx/src/a"
	says <<-END
	every step came from the cache
	END
	echo 3 >"$ctx/src/b"
	says <<-END
	[2/3] COPY src /src ran, because
	    src/b: content changed
	[3/3] RUN cat /src/a > /copy ran, because
	    step [2/3] ran again
	END
}

@test "explain: the cache was pruned" {
	project
	edit '/^RUN/d'
	before
	stave rmi -f t >/dev/null
	stave builder prune -af >/dev/null
	says <<-END
	[2/2] COPY src /src ran, because
	    nothing changed; its record was removed from the cache since then
	END
}

# ---- JSON ----

@test "explain: JSON has the same, for programs" {
	project
	before
	echo x >"$ctx/src/a"
	stave build -q -t t --explain=json "$ctx" 2>/dev/null >"$BATS_TEST_TMPDIR/json"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/json")" = 2 ]
	has "$(cat "$BATS_TEST_TMPDIR/json")" '"reasons":[{"kind":"file","text":"src/a: content changed","source":"the build context","path":"src/a","change":"changed","what":["content"]}]'
	is "$(stave build why --format '{{range .steps}}{{range .reasons}}{{.kind}} {{end}}{{end}}')" "file step "
	run stave build --explain=xml "$ctx"
	ended 1
	has "$output" 'it takes text or json'
}

# ---- logs ----

@test "log: whole, of both outputs, also of a step that was cached" {
	dockerfile <<-'END'
	FROM busybox
	RUN seq 100000
	RUN echo out; echo err >&2
	RUN true
	END
	before
	is "$(stave build log 2 | sha256sum)" "$(seq 100000 | sha256sum)"
	is "$(stave build log :3)" "out
err"
	before
	is "$(stave build log '[3/4]')" "out
err"
	is "$(stave build log 4)" ""
	has "$(stave build log)" "[3/4] RUN echo out; echo err >&2
out
err"
}

@test "log: of a step that failed, and of an earlier build" {
	local id
	printf '%s\n' 'FROM busybox' 'RUN echo first' >"$ctx/Dockerfile"
	before
	id=$(stave build why --format '{{.build}}')
	printf '%s\n' 'FROM busybox' 'RUN echo doomed; exit 3' >"$ctx/Dockerfile"
	run before
	is "$(stave build log 2)" doomed
	is "$(stave build log --build "$id" 2)" first
	run stave build log --build ffff
	ended 1
	has "$output" 'there is no record of a build ffff'
	run stave build log 7
	ended 1
	has "$output" 'the build has no step "7"'
}

# ---- what is remembered ----

@test "history: the builds, the newest first" {
	project
	before
	edit 's/cat .src.a/false/'
	run before --target nothing
	run before
	is "$(stave builder history --format '{{.Name}} {{.Status}} {{.Ran}} {{.Cached}} {{.Context}}')" \
		"t:latest failed 1 2 $ctx
t:latest done 3 0 $ctx"
	is "$(stave buildx history ls -q | tail -1)" "$(stave build why --build "$(stave builder history -q | tail -1)" --format '{{.build}}')"
}

@test "history: has a ceiling, and the oldest go first" {
	local i first
	printf '%s\n' 'FROM busybox' 'RUN echo 0' >"$ctx/Dockerfile"
	before
	first=$(stave builder history -q)
	for i in $(seq 220); do stave build -q "$ctx" >/dev/null; done
	edit 's/echo 0/echo 1/'
	before
	is "$(stave builder history -q | wc -l)" 200
	run stave build why --build "$first"
	ended 1
	is "$(stave build log 2)" 1
	stave builder prune -af >/dev/null
	is "$(stave builder history -q | wc -l)" 1
}

@test "history: a record that was damaged harms nothing but itself" {
	project
	before
	echo x >"$ctx/src/a"
	before
	for text in '' '{' '[]' '{"steps":[1,{"parent":1},{"parent":99,"label":"3/3","state":"ran","kind":"run","key":"x"}]}'; do
		printf '%s' "$text" >"$(ls "$STAVE_ROOT"/history/build-* | tail -1)"
		run stave build why
		[ "$status" -lt 2 ]
		run stave build why 3
		run stave build diff 3
		ended 1
		run stave build log
		[ "$status" -lt 2 ]
		before
		before
	done
	sed -i 's/"parent":[0-9]*/"parent":2/g' "$STAVE_ROOT"/history/build-*
	echo y >"$ctx/src/a"
	run explained
	ended 0
}

# ---- differences ----

@test "diff: added, changed, deleted" {
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir -p /d/old /d/gone; echo 1 > /d/old/f; echo 2 > /d/x; echo 3 > /d/gone/g; echo 4 > /d/stay
	RUN echo 12345 > /d/new; echo 22 > /d/x; rm -r /d/gone; rm -r /d/old; mkdir /d/old; chmod 700 /tmp
	END
	before
	is "$(stave build diff 3)" "D        0B  /d/gone
A        6B  /d/new
D        2B  /d/old/f
C        3B  /d/x
C        0B  /tmp/"
	has "$(stave build diff :2)" "A        0B  /d/
A        0B  /d/gone/
A        2B  /d/gone/g"
	run stave build diff 1
	ended 1
	has "$output" 'is the base'
}

@test "a context that is called log, or why" {
	mkdir -p "$ctx/log"
	echo 'FROM busybox' >"$ctx/log/Dockerfile"
	before -f "$ctx/log/Dockerfile"
	cd "$ctx"
	run stave build -q ./log
	ended 0
	run stave build log nowhere
	ended 1
	has "$output" 'has no step "nowhere"'
}
