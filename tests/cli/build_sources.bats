# SPDX-License-Identifier: Apache-2.0
# Where files come from: what COPY and ADD choose, named contexts, layouts of
# images, downloads and git repositories.

load common

setup_file() {
	private_store
}

# A tree with something for each kind of pattern.
sources() {
	mkdir -p "$ctx"/src/sub/deep "$ctx"/src/node_modules/m "$ctx"/src/empty "$ctx"/two
	local f
	for f in home.txt home.md src/a.c src/a.h src/sub/b.c src/sub/b.txt src/sub/deep/c.c \
		src/node_modules/m/i.js two/z.c; do
		echo "$f" >"$ctx/$f"
	done
}

# The files below /x of the image, in one line.
files_of_t() { in_t sh -c 'cd /x && find . -type f | sort | tr "\n" " "'; }
all_of_t() { in_t sh -c 'cd /x && find . ! -name . | sort | tr "\n" " "'; }

# ---- --exclude ----

@test "--exclude: patterns are relative to each source directory" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=sub/deep --exclude=*.h src two /x/
	END
	build
	is "$(files_of_t)" "./a.c ./node_modules/m/i.js ./sub/b.c ./sub/b.txt ./z.c "
}

@test "--exclude: ** is any depth, a directory goes with all below it, ! takes back" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=**/node_modules --exclude=**/*.txt src /x/
	END
	build
	is "$(all_of_t)" "./a.c ./a.h ./empty ./sub ./sub/b.c ./sub/deep ./sub/deep/c.c "
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=** --exclude=!**/c.c src /x/
	END
	build
	is "$(all_of_t)" "./sub ./sub/deep ./sub/deep/c.c "
}

@test "--exclude: a file that is named itself is taken, as in Docker" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=*.txt home* /x/
	END
	build
	is "$(files_of_t)" "./home.md ./home.txt "
}

@test "--exclude: two COPYs of one directory do not meddle, and each has its own cache key" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=*.c src /x/
	COPY --exclude=*.h src /y/
	COPY --from=busybox --exclude=* /etc /e1/
	COPY --from=busybox --exclude=group /etc /e2/
	END
	build
	is "$(in_t sh -c 'ls /x | tr "\n" " "; ls /y | tr "\n" " "; ls /e1; ls /e2')" \
		"a.h empty node_modules sub a.c empty node_modules sub passwd"
	echo more >>"$ctx/src/a.c"
	build_log
	is "$(cached)" 2
	is "$(in_t tail -n 1 /y/a.c)" more
}

@test "--exclude: taken as it is written, and patterns that are none" {
	sources
	dockerfile <<-'END'
	FROM busybox
	ARG what=*.c
	COPY --exclude=$what --exclude= --exclude=/sub src /x/
	END
	build
	is "$(in_t ls /x | tr '\n' ' ')" "a.c a.h empty node_modules sub "
	printf 'FROM busybox\nCOPY --exclude=[ src /x/\n' >"$ctx/Dockerfile"
	run stave build -q "$ctx"
	ended 1
	has "$output" "Dockerfile:2"
	has "$output" "--exclude=[: malformed pattern"
}

# ---- --parents ----

@test "--parents: the directories above come along, from the pivot on" {
	sources
	chmod 750 "$ctx/src/sub"
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/sub/b.c two/z.c /x/
	END
	build
	is "$(all_of_t)" "./src ./src/sub ./src/sub/b.c ./two ./two/z.c "
	is "$(in_t stat -c %a /x/src/sub)" 750
	dockerfile <<-'END'
	FROM busybox
	COPY --parents ./src/./sub/deep/c.c /x/
	END
	build
	is "$(all_of_t)" "./sub ./sub/deep ./sub/deep/c.c "
}

@test "--parents: patterns, ** too, with --exclude, and a directory means all of it" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --parents --exclude=**/deep ./src/**/*.c /x/
	END
	build
	is "$(files_of_t)" "./src/a.c ./src/sub/b.c "
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/./sub two /x/
	END
	build
	is "$(files_of_t)" "./sub/b.c ./sub/b.txt ./sub/deep/c.c ./two/z.c "
}

@test "--parents: what is not there is an error that names it" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/./nothing /x/
	END
	run stave build -q "$ctx"
	ended 1
	has "$output" '"/src/./nothing" not found in the build context'
}

# ---- ADD --unpack, heredocs ----

@test "ADD --unpack=false copies an archive, --unpack=true unpacks as without it" {
	sources
	tar -C "$ctx/src" -czf "$ctx/pack.tgz" sub
	dockerfile <<-'END'
	FROM busybox
	ADD --unpack=false pack.tgz /x/
	ADD --unpack=true pack.tgz /x/y/
	ADD pack.tgz /x/z/
	END
	build
	is "$(in_t sh -c 'ls /x /x/y /x/z' | tr '\n' ' ')" \
		"/x: pack.tgz y z  /x/y: sub  /x/z: sub "
}

@test "COPY of several heredocs with --chmod and --chown" {
	dockerfile <<-'END'
	FROM busybox
	COPY --chmod=640 --chown=7:8 <<A <<"B" /x/
	one $HOME
	A
	two $HOME
	B
	COPY --chmod=u=rw,go= <<A /name
	three
	A
	END
	build
	is "$(in_t sh -c 'cat /x/A /x/B /name; stat -c "%a %u:%g" /x /x/A /x/B /name')" \
		$'one \ntwo $HOME\nthree\n640 7:8\n640 7:8\n640 7:8\n600 0:0'
}

# ---- named contexts ----

@test "--build-context: a directory for --from=, its .dockerignore counts, owners are root's" {
	sources
	mkdir -p "$BATS_TEST_TMPDIR/other/d"
	echo one >"$BATS_TEST_TMPDIR/other/one"
	echo two >"$BATS_TEST_TMPDIR/other/d/two"
	echo no >"$BATS_TEST_TMPDIR/other/secret"
	echo secret >"$BATS_TEST_TMPDIR/other/.dockerignore"
	chown 1000 "$BATS_TEST_TMPDIR/other/one"
	dockerfile <<-'END'
	FROM busybox
	COPY --from=other . /x/
	ADD --from=other d /y/
	END
	sed -i 's/ADD/COPY/' "$ctx/Dockerfile"
	build --build-context "other=$BATS_TEST_TMPDIR/other"
	is "$(files_of_t)" "./.dockerignore ./d/two ./one "
	is "$(in_t stat -c %u /x/one)" 0
	# its files are a part of the key, and known the next time
	build_log --build-context "other=$BATS_TEST_TMPDIR/other"
	is "$(cached)" 3
	echo three >"$BATS_TEST_TMPDIR/other/d/two"
	build --build-context "other=$BATS_TEST_TMPDIR/other"
	is "$(in_t cat /x/d/two /y/two)" $'three\nthree'
	echo 'COPY --from=other secret /' >>"$ctx/Dockerfile"
	run stave build -q --build-context "other=$BATS_TEST_TMPDIR/other" "$ctx"
	ended 1
	has "$output" '"/secret" not found in'
	has "$output" "other/.dockerignore:1 excludes it: secret"
}

@test "--build-context: takes the place of an image, of a stage, and of FROM's base" {
	mkdir -p "$BATS_TEST_TMPDIR/d/bin"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/d/bin/sh"
	dockerfile <<-'END'
	FROM alpine:3.19 AS one
	RUN exit 7
	FROM base
	COPY --from=one /bin/sh /bin/busybox
	COPY --from=image /bin/busybox /other
	END
	build --build-context "one=$BATS_TEST_TMPDIR/d" \
		--build-context "base=$BATS_TEST_TMPDIR/d" \
		--build-context image=docker-image://busybox
	is "$(in_t /bin/sh -c '/bin/busybox ls /bin' | tr '\n' ' ')" "busybox sh "
	is "$(layers_of t | wc -l)" 3
	# names are compared as images': tag latest or none, docker.io or not
	printf 'FROM docker.io/library/thing:latest\nCMD ["x"]\n' >"$ctx/Dockerfile"
	build --build-context thing=docker-image://busybox:latest
	is "$(layers_of t)" "$(layers_of busybox)"
	printf 'FROM busybox AS first\nRUN echo 1 >/f\nFROM busybox\nCOPY --from=dep /f /g\n' \
		>"$ctx/Dockerfile"
	build --build-context dep=target:first
	is "$(in_t cat /g)" 1
}

@test "--build-context: what cannot be is named" {
	printf 'FROM busybox\nCOPY --from=n /a /\n' >"$ctx/Dockerfile"
	local value said
	while IFS='|' read -r value said; do
		run stave build -q --build-context "$value" "$ctx"
		ended 1
		has "$output" "$said"
	done <<-'END'
	n|invalid context value: n, expected key=value
	N=/|invalid context name N
	n=/nowhere/at/all|failed to get build context n: there is no directory "/nowhere/at/all"
	n=docker-image://localhost:1/nosuch:1|localhost:1/nosuch:1: failed to resolve source metadata for localhost:1/nosuch:1
	n=target:nosuch|--build-context n=target:nosuch: no such stage
	n=oci-layout:///etc|oci-layout:///etc: not an OCI image layout: there is no oci-layout
	END
}

# ---- OCI layouts ----

# blob FILE: moves it into the layout $layout, prints its digest and size
blob() {
	local sum
	sum=$(sha256sum <"$1" | cut -d' ' -f1)
	mv "$1" "$layout/blobs/sha256/$sum"
	echo "sha256:$sum $(stat -c %s "$layout/blobs/sha256/$sum")"
}

# layout [FILE-NAME]: one layer, gzip by somebody else's tar, that has FILE-NAME and removes /etc/group
layout() {
	local t=$BATS_TEST_TMPDIR diff layer lsize config csize manifest msize
	layout=$t/layout
	mkdir -p "$layout/blobs/sha256" "$t/l/etc"
	echo "$1" >"$t/l/$1"
	: >"$t/l/etc/.wh.group"
	# long names and owners in the GNU manner: not the tar that we would write
	tar -C "$t/l" --format=gnu --owner=me:1 --group=us:1 --mtime=@1600000000 -cf "$t/tar" etc "$1"
	diff=sha256:$(sha256sum <"$t/tar" | cut -d' ' -f1)
	gzip -n "$t/tar"
	read -r layer lsize <<<"$(blob "$t/tar.gz")"
	printf '{"architecture":"%s","os":"linux","config":{"Env":["A=b"],"Labels":{"x":"y"}},"rootfs":{"type":"layers","diff_ids":["%s"]},"history":[{"created_by":"somebody"}]}' \
		"$(stave version --format '{{.Client.Arch}}' 2>/dev/null || echo amd64)" "$diff" >"$t/c"
	read -r config csize <<<"$(blob "$t/c")"
	image_id=$config
	printf '{ "schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
		"$config" "$csize" "$layer" "$lsize" >"$t/m"
	read -r manifest msize <<<"$(blob "$t/m")"
	manifest_digest=$manifest layer_digest=$layer
	echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}' \
		"$manifest" "$msize" >"$layout/index.json"
}

@test "oci-layout://: an image with the ids it has, by tag, digest or alone" {
	layout here
	dockerfile <<-'END'
	FROM thing
	COPY --from=busybox /bin/busybox /bin/cat
	END
	local value
	for value in "$layout" "$layout:v1" "$layout@$manifest_digest" "$layout:v1@$manifest_digest"; do
		build --build-context "thing=oci-layout://$value"
		is "$(in_t /bin/cat /here)" here
	done
	is "$(config '{{json .Config.Env}} {{index .Config.Labels "x"}}')" \
		'["A=b","PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] y'
	is "$(stave inspect --format '{{.Id}}' "$image_id")" "$image_id"
	# the layer's name is that of somebody's tar: the store knows and can prove it
	run stave system check
	ended 0
	# FROM by the manifest's digest, now that it is in the store
	printf 'FROM any/thing@%s\nCOPY --from=busybox /bin/busybox /bin/cat\n' \
		"$manifest_digest" >"$ctx/Dockerfile"
	build
	is "$(in_t /bin/cat /here)" here
}

@test "oci-layout://: files of it for COPY, and what is damaged is not believed" {
	layout there
	printf 'FROM busybox\nCOPY --from=o /there /x/\n' >"$ctx/Dockerfile"
	build --build-context "o=oci-layout://$layout"
	is "$(files_of_t)" "./there "
	layout elsewhere
	run stave build -q --build-context "o=oci-layout://$layout:v2" "$ctx"
	ended 1
	has "$output" "no image has the tag v2"
	has "$output" "there are: v1"
	printf 'x' | dd of="$layout/blobs/sha256/${layer_digest#*:}" bs=1 seek=30 conv=notrunc status=none
	run stave build -q --build-context "o=oci-layout://$layout" "$ctx"
	ended 1
	has "$output" "its bytes do not have this digest"
	printf ' ' >>"$layout/blobs/sha256/${manifest_digest#*:}"
	run stave build -q --build-context "o=oci-layout://$layout" "$ctx"
	ended 1
	has "$output" "is damaged: its bytes have another digest"
	rm "$layout/blobs/sha256/${manifest_digest#*:}"
	run stave build -q --build-context "o=oci-layout://$layout" "$ctx"
	ended 1
	has "$output" "blob $manifest_digest is missing"
	store_is_clean
}

@test "ONBUILD COPY --from an image and a named context" {
	printf 'FROM busybox\nONBUILD COPY --from=ctx f /x/\nONBUILD COPY --from=busybox /etc/group /x/\n' \
		>"$ctx/Dockerfile"
	build
	stave tag t onbuild-base
	mkdir "$BATS_TEST_TMPDIR/d"
	echo f >"$BATS_TEST_TMPDIR/d/f"
	printf 'FROM onbuild-base\n' >"$ctx/Dockerfile"
	build --build-context "ctx=$BATS_TEST_TMPDIR/d"
	is "$(files_of_t)" "./f ./group "
}
