# SPDX-License-Identifier: Apache-2.0
# Inputs that want out: a canary beside the context and the images must be
# neither read nor written.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	canary=$BATS_TEST_TMPDIR/canary
	secret=canary-$RANDOM$RANDOM
	echo "$secret" >"$canary"
	cp "$canary" "$ctx/../before"
}

teardown() { [ -z "${canary-}" ] || cmp "$canary" "$BATS_TEST_TMPDIR/before"; }

# The secret is nowhere in the store.
kept_out() { ! grep -rq "$secret" "$STAVE_ROOT"; }

@test "links of the context do not lead out of it" {
	ln -s "$canary" "$ctx/absolute"
	ln -s ../canary "$ctx/relative"
	ln -s .. "$ctx/up"
	mkdir "$ctx/d"
	ln -s ../../canary "$ctx/d/inner"
	local source
	for source in absolute relative up/canary d/../../canary ../canary; do
		printf 'FROM busybox\nCOPY %s /x\n' "$source" >"$ctx/Dockerfile"
		build_log
		ended 1
		kept_out
	done
	# as content of a directory they are copied as links
	printf 'FROM busybox\nCOPY d /d\n' >"$ctx/Dockerfile"
	build
	is "$(in_t readlink /d/inner)" ../../canary
	kept_out
}

@test "a Dockerfile and an ignore file that are links out of the context" {
	printf 'FROM busybox\n' >"$BATS_TEST_TMPDIR/outside"
	ln -s ../outside "$ctx/Dockerfile"
	run stave build "$ctx"
	ended 1
	rm "$ctx/Dockerfile"
	printf 'FROM busybox\nCOPY a /\n' >"$ctx/Dockerfile"
	echo a >"$ctx/a"
	ln -s ../canary "$ctx/.dockerignore"
	run stave build "$ctx"
	ended 1
	hasnt "$output" "$secret"
}

@test "links of an image mean the image" {
	dockerfile <<-END
	FROM busybox
	RUN ln -s $canary /file && ln -s $(dirname "$canary") /dir && ln -s / /top && ln -s ../../../.. /up
	END
	stave build -q -t evil "$ctx" >/dev/null
	echo mine >"$ctx/new"
	dockerfile <<-'END'
	FROM evil
	COPY new /file
	COPY new /dir/canary2
	COPY new /up/in
	WORKDIR /dir/work
	RUN echo more > /file
	END
	build
	is "$(in_t cat /in)" mine
	[ ! -e "$(dirname "$canary")/canary2" ]
	[ ! -e "$(dirname "$canary")/work" ]
	dockerfile <<-'END'
	FROM busybox
	COPY --from=evil /file /stolen
	END
	build_log
	ended 1
	kept_out
}

@test "archives that climb" {
	command -v tar >/dev/null
	mkdir "$ctx/t"
	(
		cd "$ctx/t"
		echo evil >f
		tar -P --transform="s,^f$,../../../../../../../..$canary," -cf ../climb.tar f
		tar -P --transform="s,^f$,$canary," -cf ../absolute.tar f
		ln -s "$(dirname "$canary")" link
		tar -cf ../through.tar link
		rm link
		mkdir link
		echo evil >link/canary
		tar -rf ../through.tar link/canary
		rm -r link
		ln "$ctx/t/f" hard
		tar -P --transform="s,^f$,$canary,h" -cf ../hard.tar f hard
	)
	local a
	for a in climb absolute through hard; do
		printf 'FROM busybox\nADD %s.tar /x/\n' "$a" >"$ctx/Dockerfile"
		build_log
		stave import "$ctx/$a.tar" "got-$a" || true
		stave build -q - <"$ctx/$a.tar" || true
		cmp "$canary" "$BATS_TEST_TMPDIR/before"
		kept_out
	done
	run stave import "$ctx/climb.tar" x
	ended 1
}

@test "a file that changes into a link while it is copied" {
	mkdir "$ctx/d"
	local i
	for i in $(seq 200); do echo "plain $i" >"$ctx/d/f$i"; done
	printf 'FROM busybox\nCOPY d /d\n' >"$ctx/Dockerfile"
	(
		while [ -e "$ctx/Dockerfile" ]; do
			for i in 5 50 150 199; do
				ln -sf "$canary" "$ctx/d/swap" && mv -T "$ctx/d/swap" "$ctx/d/f$i"
				echo plain >"$ctx/d/new" && mv -T "$ctx/d/new" "$ctx/d/f$i"
			done
		done
	) &
	local pid=$! builds=0
	for i in $(seq 25); do
		stave build -q --no-cache -t racy "$ctx" >/dev/null 2>&1 && builds=$((builds + 1))
	done
	rm "$ctx/Dockerfile"
	wait $pid || true
	kept_out
	store_is_clean
}

@test "a fifo, a socket and a device in the context block nothing" {
	mkfifo "$ctx/fifo"
	echo a >"$ctx/a"
	printf 'FROM busybox\nCOPY . /all/\n' >"$ctx/Dockerfile"
	run timeout 20 stave build -q -t t "$ctx"
	ended 0
	is "$(in_t stat -c %F /all/fifo)" fifo
	rm "$ctx/Dockerfile"
	mkfifo "$ctx/Dockerfile"
	run timeout 20 stave build "$ctx"
	ended 1
}

@test "a hostile passwd file" {
	dockerfile <<-'END'
	FROM busybox
	RUN rm /etc/passwd && ln -s /dev/zero /etc/passwd
	END
	stave build -q -t evil "$ctx" >/dev/null
	run timeout -s KILL 20 stave run --rm --network none -u someone evil true
	ended 125
	# not id(1), which would read that file itself
	run timeout -s KILL 20 stave run --rm --network none -u 12 evil grep Uid: /proc/self/status
	has "$output" $'Uid:\t12'
}

@test "deep trees and long names" {
	(
		cd "$ctx" || exit
		for _ in $(seq 300); do mkdir -p ddddddddddddddd && cd ddddddddddddddd || exit; done
		echo deep >f
	)
	printf 'FROM busybox\nCOPY . /x/\n' >"$ctx/Dockerfile"
	run timeout 60 stave build -q -t t "$ctx"
	if [ "$status" != 0 ]; then
		# a clear error is an answer too
		has "$output" "ERROR"
	fi
	store_is_clean
	rm -rf "${ctx:?}"/ddddddddddddddd
}
