# SPDX-License-Identifier: Apache-2.0
# The same inputs, the same bytes: in another store, at another time.

load common

setup_file() {
	private_store
	second=$BATS_FILE_TMPDIR/second
	export second
	if am_root; then STAVE_ROOT=$second import_base; fi
}

make_context() {
	mkdir -p "$ctx/d/sub"
	echo a >"$ctx/a"
	echo g >"$ctx/d/sub/g"
	ln -sf a "$ctx/link"
	tar -C "$ctx" --mtime=@1000000000 -cf "$ctx/x.tar" a d
	find "$ctx" -exec touch -h -d @1500000000 {} +
}

in_second() { STAVE_ROOT=$second "$@"; }

@test "COPY, ADD, WORKDIR: equal layers in two stores at two times" {
	make_context
	dockerfile <<-'END'
	FROM busybox
	WORKDIR /app/deep
	COPY . .
	COPY --chown=app --chmod=700 d /made/by/copy/
	ADD x.tar /unpacked
	COPY a /etc/new
	END
	build
	sleep 1.1
	in_second build
	is "$(layers_of t)" "$(in_second layers_of t)"
	differ "$(config '{{.Id}}')" "$(in_second config '{{.Id}}')"
}

@test "with SOURCE_DATE_EPOCH the image is the same, RUN included" {
	make_context
	dockerfile <<-'END'
	FROM busybox
	RUN mkdir -p /made/deep && echo made > /made/deep/file && ln -s x /made/link && rm /bin/vi
	WORKDIR /app
	COPY . .
	RUN touch a && echo more >> link
	ENV X=1
	END
	export SOURCE_DATE_EPOCH=1600000000
	build
	sleep 1.1
	in_second build
	is "$(config '{{.Id}}')" "$(in_second config '{{.Id}}')"
	is "$(config '{{.Created}}')" 2020-09-13T12:26:40Z
	is "$(in_t stat -c %Y /made/deep/file)" 1600000000
}

@test "the epoch may come as a build argument; a wrong one is named" {
	printf 'FROM busybox\nRUN touch /x\n' >"$ctx/Dockerfile"
	build --build-arg SOURCE_DATE_EPOCH=1600000000
	is "$(in_t stat -c %Y /x)" 1600000000
	SOURCE_DATE_EPOCH=yesterday run stave build "$ctx"
	ended 1
	has "$output" SOURCE_DATE_EPOCH
}

@test "order of names on disk, umask and locale change nothing" {
	mkdir "$ctx/one" "$ctx/two"
	local i
	for i in z a M ä 0; do echo "$i" >"$ctx/one/$i"; done
	for i in 0 ä M a z; do echo "$i" >"$ctx/two/$i"; done
	find "$ctx" -exec touch -h -d @1500000000 {} +
	printf 'FROM scratch\nCOPY one /x\n' >"$ctx/Dockerfile"
	build
	printf 'FROM scratch\nCOPY two /x\n' >"$ctx/Dockerfile"
	(umask 077 && LC_ALL=C.UTF-8 stave build -q -t t2 "$ctx" >/dev/null)
	is "$(layers_of t)" "$(layers_of t2)"
}

@test "an import of the same tree is the same layer" {
	local first
	first=$(layers_of busybox)
	is "$(in_second layers_of busybox)" "$first"
	# the order of the archive does not matter
	(cd "$BATS_FILE_TMPDIR/base" && find . | sort -r |
		tar --no-recursion --owner=0 --group=0 --numeric-owner --mtime=@1700000000 -cf - -T -) |
		stave import - turned >/dev/null
	is "$(layers_of turned)" "$first"
}
