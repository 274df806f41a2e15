# SPDX-License-Identifier: Apache-2.0
# What a build writes: files, archives, layouts, one layer, metadata.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	o=$BATS_TEST_TMPDIR/o
	dockerfile <<-'END'
	FROM busybox AS made
	RUN mkdir -p /o/d/e && echo one >/o/f && chown 7:8 /o/f /o/d && chmod 4751 /o/f && \
		chmod 700 /o/d/e && ln -s f /o/l && ln /o/f /o/d/hard && mkfifo /o/fifo && \
		touch -d @1600000000 /o/f /o/d/e
	FROM scratch
	COPY --from=made /o /
	CMD ["/f"]
	END
}

# The $ctx built, quietly.
out() { stave build -q "$@" "$ctx"; }

member() { tar -xOf "$1" "$2"; }

blobs_are_true() {
	local blob
	for blob in "$1"/blobs/sha256/*; do
		is "$(sha256sum <"$blob" | cut -d' ' -f1)" "$(basename "$blob")"
	done
}

unpacked() {
	x=$BATS_TEST_TMPDIR/x
	rm -rf "$x" && mkdir "$x" && tar -C "$x" -xf "$1"
	blobs_are_true "$x"
}

# ---- files ----

@test "-o DIR: the files, ours, with their modes, times and hard links" {
	is "$(out -o "$o")" ""
	is "$(cat "$o/f")" one
	is "$(stat -c '%a %u:%g %h %Y' "$o/f")" "4751 $(id -u):$(id -g) 2 1600000000"
	is "$(stat -c '%i' "$o/f")" "$(stat -c '%i' "$o/d/hard")"
	is "$(stat -c '%a %Y' "$o/d/e")" "700 1600000000"
	is "$(readlink "$o/l")" f
	[ -p "$o/fifo" ]
	is "$(stat -c %a "$o")" 700
	# no image was asked for
	run stave images -qa t
	is "$(stave images -qa | wc -l)" 1
	store_is_clean
}

@test "-o DIR: into what is there; nothing outside is touched" {
	mkdir -p "$o/f/old" "$BATS_TEST_TMPDIR/outside" "$o/d"
	echo mine >"$o/mine"
	echo mine >"$o/d/mine"
	ln -s "$BATS_TEST_TMPDIR/outside" "$o/d/e"
	echo keep >"$BATS_TEST_TMPDIR/keep"
	ln -s ../keep "$o/l"
	chmod 500 "$o/d"
	out -o "type=local,dest=$o"
	is "$(cat "$o/mine" "$o/d/mine" "$o/f")" $'mine\nmine\none'
	[ -d "$o/d/e" ] && [ ! -L "$o/d/e" ]
	is "$(ls "$BATS_TEST_TMPDIR/outside")" ""
	is "$(cat "$BATS_TEST_TMPDIR/keep")" keep
	is "$(readlink "$o/l")" f
	# the same again
	out -o "$o"
	is "$(cat "$o/f")" one
	is "$(find "$o" -name '.stave-*')" ""
	out -o "$o/deep/er"
	is "$(cat "$o/deep/er/f")" one
	cd "$BATS_TEST_TMPDIR"
	mkdir here && cd here
	out -o ../there/x
	is "$(cat "$BATS_TEST_TMPDIR/there/x/f")" one
}

@test "-o -, type=tar: the files with their owners, the same each time" {
	out -o - >"$o"
	out -o type=tar,dest="$o.2"
	cmp "$o" "$o.2"
	run tar -tvf "$o" --numeric-owner
	has "$output" "-rwsr-x--x 7/8"
	has "$output" "drwxr-xr-x 7/8"
	has "$output" " l -> f"
	has "$output" "link to "
	is "$(member "$o" d/hard)" one
	run stave build -q -o - "$ctx" --iidfile "$o.id"
	ended 1
	has "$output" "local and tar exporters are incompatible with image ID file"
}

# ---- archives ----

@test "type=oci: packed with gzip, the same bytes each time" {
	out -o type=oci,dest="$o" -t a:1 -t b:2
	unpacked "$o"
	has "$(cat "$x/index.json")" '"io.containerd.image.name":"docker.io/library/a:1"'
	has "$(cat "$x/index.json")" '"org.opencontainers.image.ref.name":"2"'
	[ ! -e "$x/manifest.json" ]
	run grep -l '"layers":' "$x"/blobs/sha256/* --binary-files=without-match
	has "$(cat "$output")" '"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"'
	local layer
	layer=$(grep -o '"layers":.*' "$output" | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2)
	gzip -t <"$x/blobs/sha256/$layer"
	is "$(gzip -dc <"$x/blobs/sha256/$layer" | tar -xO d/hard)" one
	out -o type=oci -t a:1 -t b:2 | cmp - "$o"
	run stave images -q a:1
	is "$output" ""
}

@test "type=oci: other compressions and levels" {
	local how
	for how in uncompressed zstd gzip,compression-level=9 zstd,compression-level=19; do
		out -o "type=oci,dest=$o,compression=$how" -t a:1
		unpacked "$o"
		export STAVE_ROOT=$BATS_TEST_TMPDIR/other
		stave load -i "$o"
		stave save a:1 >"$o.saved"
		is "$(member "$o.saved" index.json | grep -o '"digest":"[^"]*"')" \
			"$(member "$o" index.json | grep -o '"digest":"[^"]*"')"
		export STAVE_ROOT=$BATS_FILE_TMPDIR/store
		rm -rf "$BATS_TEST_TMPDIR/other"
	done
	run out -o "type=oci,dest=$o,compression=lz4"
	ended 1
	run out -o "type=oci,dest=$o,compression=gzip,compression-level=11"
	ended 1
	has "$output" "not a level of this compression"
}

@test "type=docker: Docker's types, and names that load takes" {
	local id
	id=$(out -o type=docker,dest="$o" -t a:1)
	unpacked "$o"
	has "$(cat "$x/manifest.json")" '"RepoTags":["a:1"]'
	has "$(cat "$x"/blobs/sha256/*)" application/vnd.docker.container.image.v1+json
	export STAVE_ROOT=$BATS_TEST_TMPDIR/other
	is "$(stave load -i "$o")" "Loaded image: a:1"
	is "$(stave inspect --format '{{.Id}}' a:1)" "$id"
}

@test "type=oci,tar=false: a layout that other images stay in" {
	out -o "type=oci,dest=$o,tar=false" -t a:1
	blobs_are_true "$o"
	printf 'FROM scratch\nLABEL n=2\nCOPY Dockerfile /\n' >"$ctx/Dockerfile"
	out -o "type=oci,dest=$o,tar=false,name=b:2"
	blobs_are_true "$o"
	has "$(cat "$o/index.json")" docker.io/library/a:1
	has "$(cat "$o/index.json")" docker.io/library/b:2
	printf 'FROM x\nLABEL n=3\n' >"$ctx/Dockerfile"
	out --build-context "x=oci-layout://$o:2" -o "type=oci,dest=$o,tar=false" -t b:2
	is "$(grep -o docker.io/library/b:2 "$o/index.json" | wc -l)" 1
	# one that was cut short is written again
	local blob
	for blob in "$o"/blobs/sha256/*; do
		truncate -s 10 "$blob"
	done
	rm "$o/index.json"
	out --build-context x=docker-image://busybox -o "type=oci,dest=$o,tar=false" -t b:2
	blob=$(grep -o 'digest":"sha256:[0-9a-f]*' "$o/index.json" | cut -d: -f3)
	is "$(sha256sum <"$o/blobs/sha256/$blob" | cut -d' ' -f1)" "$blob"
}

@test "several outputs of one build, and the image with --load" {
	out -o "$o" -o "type=tar,dest=$o.tar" -o "type=oci,dest=$o.oci" --load -t both
	is "$(cat "$o/f")" one
	is "$(member "$o.tar" d/hard)" one
	unpacked "$o.oci"
	is "$(stave images -q both | wc -l)" 1
	run out -o - -o type=oci,dest=-
	ended 1
	has "$output" "only one can go to standard output"
	stave rmi both
}

@test "what came packed stays as it was; the rest is packed as asked" {
	out -o "type=oci,dest=$o,compression=zstd" -t base:1
	local layer
	unpacked "$o"
	layer=$(cat "$x"/blobs/sha256/* 2>/dev/null | grep -a -o '"layers":\[[^]]*' | grep -o 'sha256:[0-9a-f]*' | cut -d: -f2)
	export STAVE_ROOT=$BATS_TEST_TMPDIR/other
	stave load -i "$o"
	printf 'FROM base:1\nCOPY Dockerfile /new\n' >"$ctx/Dockerfile"
	out -o "type=oci,dest=$o"
	unpacked "$o"
	[ -e "$x/blobs/sha256/$layer" ]
	run out -o "type=oci,dest=$o,force-compression=true"
	ended 1
	has "$output" "force-compression"
}

@test "a large layer is the same with one processor and with all" {
	head -c 30000000 /dev/urandom >"$ctx/noise"
	tar -cf "$ctx/more" "$ctx/noise" /usr/bin/tar
	printf 'FROM scratch\nCOPY noise more /\n' >"$ctx/Dockerfile"
	local c
	for c in gzip zstd; do
		out -o type=oci,compression=$c >"$o"
		taskset 1 stave build -q -o type=oci,compression=$c "$ctx" | cmp - "$o"
	done
}

# ---- errors before anything is built ----

@test "outputs that cannot be" {
	local spec
	while IFS='|' read -r spec said; do
		run out -o "$spec"
		ended 1
		has "$output" "$said"
	done <<-END
	type=local|dest is required for local exporter
	type=local,dest=-|dest cannot be stdout for local exporter
	type=local,dest=$ctx/Dockerfile|destination directory $ctx/Dockerfile is a file
	type=tar,dest=$ctx|destination file $ctx is a directory
	type=tar,dest=/no/such/file|failed to open
	type=foo|exporter "foo" could not be found
	type=local,foo|invalid value foo
	dest=a,tar=b|tar=b is not true or false
	dest=a,compression=gzip|type is required for output
	type=oci,dest=$o,frob=1|not known
	type=image,push=true|tag is needed when pushing to registry
	type=registry|tag is needed when pushing to registry
	type=oci,dest="$o|invalid argument
	END
	run out --push
	has "$output" "tag is needed when pushing to registry"
	run out --push -t localhost:1/x
	ended 1
	has "$output" "localhost:1"
	run script -qec "stave build -q -o - '$ctx'" /dev/null
	has "$output" "dest file is required for tar exporter. refusing to write to console"
}

@test "a build that fails leaves no file and does not touch an old one" {
	printf 'FROM busybox\nRUN false\n' >"$ctx/Dockerfile"
	run out -o "type=tar,dest=$o"
	ended 1
	[ ! -e "$o" ]
	echo old >"$o"
	run out -o "type=tar,dest=$o"
	is "$(cat "$o")" old
	is "$(ls -A "$BATS_TEST_TMPDIR" | tr '\n' ' ')" "ctx o "
}

# ---- annotations, metadata ----

@test "--annotation and annotation.KEY" {
	out -o "type=oci,dest=$o,annotation.one=1" --annotation two=2 \
		--annotation manifest-descriptor:three=3 --annotation manifest[linux/s390x]:no=no
	unpacked "$o"
	has "$(cat "$x"/blobs/sha256/*)" '"annotations":{"one":"1","two":"2"}'
	has "$(cat "$x/index.json")" '"three":"3"'
	run out --annotation bad
	ended 1
	has "$output" 'invalid annotation "bad", expected key=value'
	run out --annotation what:a=b
	ended 1
	has "$output" "unknown annotation type"
	run out -o "type=oci,dest=$o" --annotation index:a=b
	ended 1
	has "$output" "index annotations not supported for single platform export"
	# of the image in the store too
	out -t noted --annotation four=4
	has "$(stave save noted | tar -xO --wildcards 'blobs/*' | tr -d '\0')" '"annotations":{"four":"4"}'
	stave rmi noted
	store_is_clean
}

@test "--metadata-file" {
	local id
	id=$(out -t a:1 -t b:2 --metadata-file "$o.json")
	has "$(cat "$o.json")" "\"containerimage.config.digest\": \"$id\""
	has "$(cat "$o.json")" '"image.name": "docker.io/library/a:1,docker.io/library/b:2"'
	has "$(cat "$o.json")" '"buildx.build.ref": "default/default/'
	local manifest
	manifest=$(grep containerimage.digest "$o.json" | grep -o 'sha256:[0-9a-f]*')
	has "$(stave save a:1 | tar -xO index.json)" "$manifest"
	out -o "type=oci,dest=$o" --metadata-file "$o.json"
	manifest=$(grep containerimage.digest "$o.json" | grep -o 'sha256:[0-9a-f]*')
	has "$(member "$o" index.json)" "$manifest"
	stave rmi a:1 b:2
}

# ---- one layer ----

@test "--flatten: one layer with the same files, the config is kept" {
	mkdir "$ctx/d"
	echo one >"$ctx/d/one"
	dockerfile <<-'END'
	FROM busybox
	COPY d /d
	RUN rm /d/one && echo two >/two && ln /two /three && chown 3:4 /two
	ENV A=b
	CMD ["cat", "/two"]
	END
	build
	local files
	files=$(out -o - | sha256sum)
	stave build -q --flatten -t flat "$ctx"
	is "$(layers_of flat | wc -l)" 1
	is "$(stave inspect --format '{{json .Config}}' flat)" "$(config '{{json .Config}}')"
	is "$(stave build -q --flatten -o - "$ctx" | sha256sum)" "$files"
	is "$(stave run --rm --network none flat)" two
	run stave history flat
	has "$output" "3 layers as one"
	# again, and by the other name
	local id
	id=$(stave inspect --format '{{.Id}}' flat)
	is "$(stave build -q --squash "$ctx")" "$id"
	stave rmi flat
	store_is_clean
}

# ---- several platforms ----

# A cross build: RUN on this machine, files for each.
cross() {
	dockerfile <<-'END'
	FROM --platform=$BUILDPLATFORM busybox AS made
	ARG TARGETARCH
	RUN echo "for $TARGETARCH" >/out
	FROM --platform=$BUILDPLATFORM busybox AS same
	RUN date +%N >/stamp; echo shared >/shared
	FROM scratch
	COPY --from=made /out /
	COPY --from=same /shared /stamp /
	ENTRYPOINT ["/out"]
	END
}

@test "--platform with several: an index, each with its own" {
	cross
	out --platform linux/arm64,linux/s390x -o "type=oci,dest=$o" -t multi:1 \
		--annotation index:a=b --annotation manifest[linux/s390x]:c=d --metadata-file "$o.json"
	unpacked "$o"
	local index
	index=$(grep -o '"digest":"sha256:[0-9a-f]*' "$x/index.json" | cut -d: -f3)
	has "$(cat "$x/blobs/sha256/$index")" '"platform":{"architecture":"arm64","os":"linux"}'
	has "$(cat "$x/blobs/sha256/$index")" '"platform":{"architecture":"s390x","os":"linux"}'
	has "$(cat "$x/blobs/sha256/$index")" '"annotations":{"a":"b"}'
	is "$(grep -l '"annotations":{"c":"d"}' "$x"/blobs/sha256/* | wc -l)" 1
	has "$(cat "$o.json")" '"mediaType": "application/vnd.oci.image.index.v1+json"'
	# one of them, by its platform
	export STAVE_ROOT=$BATS_TEST_TMPDIR/other
	run stave load -i "$o"
	ended 1
	has "$output" "no match for platform"
	is "$(stave load --platform linux/s390x -i "$o")" "Loaded image: multi:1"
	is "$(stave inspect --format '{{.Os}}/{{.Architecture}}' multi:1)" linux/s390x
}

@test "--platform with several: -o DIR has a directory for each" {
	cross
	out --platform linux/arm64,linux/s390x,linux/arm/v7 -o "$o"
	is "$(cat "$o/linux_arm64/out" "$o/linux_s390x/out" "$o/linux_arm_v7/out")" \
		$'for arm64\nfor s390x\nfor arm'
	# what does not depend on the platform was made once
	cmp "$o/linux_arm64/stamp" "$o/linux_s390x/stamp"
	run stave build --progress=plain --platform linux/arm64,linux/s390x -o "$o" "$ctx"
	has "$output" "[linux/arm64 stage-2 2/2] COPY"
	has "$output" "[linux/s390x stage-2 2/2] COPY"
	is "$(grep -c ' CACHED' <<<"$output")" "$(grep -cE '^#[0-9]+ \[.*(COPY|RUN|FROM)' <<<"$output")"
}

@test "--platform of another machine: an image of files, and a base that is for it" {
	cross
	out --platform linux/s390x -t localhost:1/s390x >/dev/null
	is "$(stave inspect --format '{{.Os}}/{{.Architecture}}' localhost:1/s390x)" linux/s390x
	printf 'FROM localhost:1/s390x\nCOPY Dockerfile /\n' >"$ctx/Dockerfile"
	out --platform linux/s390x -t two >/dev/null
	is "$(stave inspect --format '{{.Architecture}}' two)" s390x
	run stave build --check "$ctx"
	has "$output" InvalidBaseImagePlatform
	sed -i 's|FROM|FROM --platform=$BUILDPLATFORM|' "$ctx/Dockerfile"
	run out -t three
	ended 1
	has "$output" "localhost:1/s390x: the image in the store is for linux/s390x, not for linux/"
	stave tag busybox localhost:1/busybox
	printf 'FROM localhost:1/busybox\nCOPY Dockerfile /\n' >"$ctx/Dockerfile"
	run out --platform linux/s390x
	ended 1
	has "$output" "localhost:1/busybox: the image in the store is for linux/"
	has "$output" "not for linux/s390x"
	stave rmi localhost:1/s390x localhost:1/busybox two >/dev/null
}

@test "--platform: RUN for another machine names the missing handler" {
	! grep -qs s390x /proc/sys/fs/binfmt_misc/* || skip "this machine can run s390x programs"
	printf 'FROM scratch\nCOPY Dockerfile /\nRUN true\n' >"$ctx/Dockerfile"
	run out --platform linux/s390x
	ended 1
	has "$output" "RUN for linux/s390x"
	has "$output" "has no handler for s390x programs"
	has "$output" "Dockerfile:3"
}

@test "--platform with several: what cannot be" {
	cross
	run out --platform linux/arm64,linux/s390x -t x
	ended 1
	has "$output" "an image of several platforms cannot be kept in the store"
	run out --platform linux/arm64,linux/s390x -o type=docker,dest="$o"
	ended 1
	has "$output" "docker exporter does not currently support exporting manifest lists"
	run out --platform linux/arm64,linux/s390x -o type=tar,dest="$o"
	ended 1
	run out --platform linux/arm64,a/b/c/d -o "$o"
	ended 1
	has "$output" "a/b/c/d"
	# the same one twice is one
	out --platform linux/s390x,linux/s390x -o "type=oci,dest=$o"
	unpacked "$o"
	is "$(cat "$x"/blobs/sha256/* "$x/index.json" | grep -ac manifest.list)" 0
}
