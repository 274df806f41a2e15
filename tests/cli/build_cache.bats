# SPDX-License-Identifier: Apache-2.0
# What runs again and what does not.

load common

setup_file() {
	private_store
}

base_file() {
	mkdir -p "$ctx/src"
	echo one >"$ctx/src/a"
	echo "$BATS_TEST_NUMBER" >"$ctx/src/b"
	dockerfile <<-END
	FROM busybox
	ARG WHICH=$BATS_TEST_NUMBER
	RUN echo \$WHICH > /which
	COPY src /src
	ENV LATE=1
	RUN cat /src/a > /copy
	END
}

@test "a second build is all cache, and gives the same image" {
	base_file
	run stave build -q "$ctx"
	local first=$output
	build_log
	is "$(cached)" 4
	is "$(stave build -q "$ctx")" "$first"
}

@test "touching a file changes nothing" {
	base_file
	build
	touch "$ctx/src/a"
	build_log
	is "$(cached)" 4
	# and the new time is known from then on
	build_log
	is "$(cached)" 4
}

@test "changed content runs COPY and what follows, not what comes before" {
	base_file
	build
	echo two >"$ctx/src/a"
	build_log
	is "$(cached)" 2
	is "$(in_t cat /copy)" two
}

@test "an edit that keeps size and mtime is seen" {
	base_file
	build
	touch -d '2001-01-01' "$ctx/src/a"
	build
	printf 'eno\n' >"$ctx/src/a"
	touch -d '2001-01-01' "$ctx/src/a"
	build_log
	is "$(in_t cat /copy)" eno
}

@test "a mode is content, a new file is content, a removed one too" {
	base_file
	build
	chmod 600 "$ctx/src/a"
	build_log
	is "$(cached)" 2
	echo x >"$ctx/src/new"
	build_log
	is "$(cached)" 2
	rm "$ctx/src/new"
	build_log
	is "$(cached)" 4
}

@test "what .dockerignore hides is no input" {
	base_file
	echo 'src/log' >"$ctx/.dockerignore"
	build
	echo noise >"$ctx/src/log"
	build_log
	is "$(cached)" 4
}

@test "a build argument runs again what sees it" {
	base_file
	build
	build_log --build-arg WHICH=other
	is "$(cached)" 1
	is "$(in_t cat /which)" other
	build_log --build-arg WHICH=other
	is "$(cached)" 4
}

@test "ENV fed by an ARG reaches the key" {
	dockerfile <<-'END'
	FROM busybox
	ARG A=1
	ENV E=$A
	ARG A=
	RUN echo $E > /e
	END
	build
	build_log --build-arg A=2
	is "$(in_t cat /e)" 2
}

@test "--no-cache runs everything, and its results are cached" {
	base_file
	build
	build_log --no-cache
	is "$(cached)" 1
	build_log
	is "$(cached)" 4
}

@test "a heredoc's body is an input" {
	for word in first second; do
		dockerfile <<-END
		FROM busybox
		RUN <<EOF
		echo $word > /w
		EOF
		COPY <<EOF /f
		$word
		EOF
		END
		build
		is "$(in_t cat /w /f)" "$word"$'\n'"$word"
	done
}

@test "steps that finished before a failure stay cached" {
	dockerfile <<-'END'
	FROM busybox
	RUN echo kept > /kept
	RUN test -e /nowhere
	END
	build_log
	ended 1
	sed -i 's/nowhere/kept/' "$ctx/Dockerfile"
	build_log
	ended 0
	is "$(cached)" 2
}

@test "a stage that gives the same files does not run what copies from it" {
	for comment in one two; do
		dockerfile <<-END
		FROM busybox AS made
		COPY <<EOF /out/file
		same
		EOF
		RUN : $comment
		FROM busybox
		COPY --from=made /out /out
		RUN cat /out/file > /seen
		END
		build_log
		ended 0
	done
	# FROM twice, the heredoc, and both steps after the copy; only ": two" ran
	has "$output" $'COPY --from=made /out /out\n'
	is "$(grep -c CACHED <<<"$output")" 4
}

@test "independent stages run at the same time" {
	dockerfile <<-'END'
	FROM busybox AS a
	RUN sleep 1; echo a > /a
	FROM busybox AS b
	RUN sleep 1; echo b > /b
	FROM busybox
	COPY --from=a /a /a
	COPY --from=b /b /b
	END
	local from=${EPOCHREALTIME/./}
	build --no-cache
	[ $((${EPOCHREALTIME/./} - from)) -lt 1900000 ]
}

@test "only the stages that the target needs are built" {
	dockerfile <<-'END'
	FROM busybox AS used
	RUN echo used > /used
	FROM busybox AS broken
	RUN false
	FROM busybox AS last
	COPY --from=used /used /used
	END
	build
	build --target used
	run stave build --target broken "$ctx"
	ended 1
}

@test "--no-cache-filter runs the steps of the stages that it names" {
	dockerfile <<-END
	FROM busybox AS One
	RUN echo \$RANDOM > /one
	FROM busybox AS two
	RUN echo two > /two
	FROM busybox
	COPY --from=one /one /
	COPY --from=two /two /
	RUN cat /one /two > /three
	END
	build
	build_log
	is "$(cached)" 6
	build_log --no-cache-filter TWO
	is "$(cached)" 5
	build_log --no-cache-filter two,2
	is "$(cached)" 2
	build_log --no-cache-filter two --no-cache-filter one
	has "$output" "one 2/2] RUN"
	hasnt "$(grep -A1 'one 2/2\|two 2/2' <<<"$output")" CACHED
	build_log --no-cache-filter nobody
	is "$(cached)" 6
	has "$output" "--no-cache-filter nobody: no stage is called that"
	run stave build --no-cache --no-cache-filter two "$ctx"
	ended 1
	has "$output" "cannot currently be used together"
}

@test "builder prune -a forgets the cache and keeps the images" {
	base_file
	build
	run stave builder prune -af
	ended 0
	has "$output" "Total:"
	is "$(in_t cat /copy)" one
	build_log
	is "$(cached)" 1
	store_is_clean
}

@test "several builds at once on one store" {
	base_file
	local i
	for i in 1 2 3 4 5 6; do
		stave build -q -t "many$((i % 3))" --build-arg "WHICH=m$((i % 3))" "$ctx" >/dev/null &
	done
	wait
	for i in 0 1 2; do
		is "$(stave run --rm --network none "many$i" cat /which)" "m$i"
	done
	store_is_clean
}

@test "config between the steps changes no step; USER does" {
	printf 'FROM busybox\nRUN id -u > /tmp/%s\nCMD a\n' "$MARK" >"$ctx/Dockerfile"
	build
	printf 'FROM busybox\nLABEL x=y\nEXPOSE 1\nRUN id -u > /tmp/%s\nCMD b\n' "$MARK" >"$ctx/Dockerfile"
	build_log
	is "$(cached)" 2
	is "$(config '{{json .Config.Cmd}}')" '["/bin/sh","-c","b"]'
	printf 'FROM busybox\nUSER app\nRUN id -u > /tmp/%s\n' "$MARK" >"$ctx/Dockerfile"
	build_log
	is "$(cached)" 1
	is "$(in_t cat "/tmp/$MARK")" 1000
}

@test "another copy of the context at another place is the same" {
	mkdir "$ctx/d"
	echo "$MARK" >"$ctx/d/f"
	printf 'FROM busybox\nCOPY d /d\n' >"$ctx/Dockerfile"
	build
	cp -r "$ctx" "$ctx.2"
	run stave build --progress=plain -t t "$ctx.2"
	is "$(cached)" 2
}

@test "name, link target and an empty directory are content" {
	mkdir "$ctx/d"
	echo "$MARK" >"$ctx/d/f"
	ln -s a "$ctx/d/l"
	printf 'FROM busybox\nCOPY d /d\n' >"$ctx/Dockerfile"
	build
	local change
	for change in 'mv d/f d/g' 'ln -sfn b d/l' 'mkdir d/empty'; do
		(cd "$ctx" && eval "$change")
		build_log
		is "$change: $(cached)" "$change: 1"
		build_log
		is "$change: $(cached)" "$change: 2"
	done
	is "$(in_t sh -c 'readlink /d/l; ls /d' | xargs)" "b empty g l"
}

@test "the image is gone, its steps are not" {
	printf 'FROM busybox\nRUN echo %s.gone > /r\n' "$MARK" >"$ctx/Dockerfile"
	build
	stave rmi t >/dev/null
	build_log
	is "$(cached)" 2
	is "$(in_t cat /r)" "$MARK.gone"
}
