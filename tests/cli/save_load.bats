# SPDX-License-Identifier: Apache-2.0
# Images as archives, out and in.

load common

setup_file() {
	private_store
	stave tag busybox busybox:two
}

setup() {
	common_setup
	a=$BATS_TEST_TMPDIR/a.tar
	export STAVE_ROOT
}

id_of() { stave inspect --format '{{.Id}}' "$1"; }

# A document in the archive $1.
member() { tar -xOf "$1" "$2"; }

# Every blob has the digest that is its name.
blobs_are_true() {
	local dir=$BATS_TEST_TMPDIR/x blob
	rm -rf "$dir" && mkdir "$dir" && tar -C "$dir" -xf "$1"
	for blob in "$dir"/blobs/sha256/*; do
		is "$(sha256sum <"$blob" | cut -d' ' -f1)" "$(basename "$blob")"
	done
}

three_layers() {
	mkdir -p "$ctx/d"
	echo one >"$ctx/d/one"
	dockerfile <<-'END'
	FROM busybox
	COPY d /d
	RUN rm /d/one && echo two >/two
	CMD ["cat", "/two"]
	END
	build
}

# ---- save ----

@test "save: one set of blobs that OCI and Docker readers find" {
	three_layers
	stave save -o "$a" t
	blobs_are_true "$a"
	is "$(member "$a" oci-layout)" '{"imageLayoutVersion":"1.0.0"}'
	has "$(member "$a" manifest.json)" "\"Config\":\"blobs/sha256/$(id_of t | cut -d: -f2)\""
	has "$(member "$a" manifest.json)" '"RepoTags":["t:latest"]'
	has "$(member "$a" index.json)" '"io.containerd.image.name":"docker.io/library/t:latest"'
	has "$(member "$a" index.json)" '"org.opencontainers.image.ref.name":"latest"'
	local diff_id
	for diff_id in $(layers_of t); do
		has "$(tar -tf "$a")" "blobs/sha256/${diff_id#sha256:}"
	done
}

@test "save: depends on nothing but the images; standard output is the same" {
	stave save -o "$a" busybox:latest
	sleep 1
	stave save busybox:latest | cmp - "$a"
	! tar -tvf "$a" --full-time | grep -v 1970-01-01
}

@test "save: names, all tags of a name without one, ids without any" {
	stave save -o "$a" busybox:two
	has "$(member "$a" manifest.json)" '"RepoTags":["busybox:two"]'
	stave save -o "$a" busybox
	has "$(member "$a" manifest.json)" '"RepoTags":["busybox:latest","busybox:two"]'
	stave save -o "$a" "$(id_of busybox)"
	has "$(member "$a" manifest.json)" '"RepoTags":null'
	three_layers
	stave save t busybox:two >"$a"
	has "$(member "$a" manifest.json)" '"RepoTags":["busybox:two"]'
	has "$(member "$a" manifest.json)" '"RepoTags":["t:latest"]'
	# what both have is there once
	is "$(tar -tf "$a" | sort | uniq -d)" ""
	blobs_are_true "$a"
}

@test "save: errors leave no file" {
	run stave save -o "$a" nosuch
	ended 1
	has "$output" "No such image: nosuch:latest"
	[ ! -e "$a" ]
	run stave save -o "$BATS_TEST_TMPDIR" busybox
	ended 1
	has "$output" "cannot write to a directory"
	run stave save -o "$BATS_TEST_TMPDIR/no/such" busybox
	ended 1
	run stave save --platform linux/s390x -o "$a" busybox
	ended 1
	has "$output" "no suitable export target found for platform linux/s390x"
	is "$(ls "$BATS_TEST_TMPDIR")" ctx
	run script -qec "stave save busybox" /dev/null
	ended 1
	has "$output" "cowardly refusing to save to a terminal"
	echo old >"$a"
	run stave save -o "$a" nosuch
	is "$(cat "$a")" old
}

@test "save: a layer that is not what it was is refused" {
	three_layers
	local file
	file=$(find "$STAVE_ROOT/layers" -name two -size -2)
	echo owt >"$file"
	run stave save -o "$a" t
	echo two >"$file"
	ended 1
	has "$output" "is not what its digest says any more"
	[ ! -e "$a" ]
}
