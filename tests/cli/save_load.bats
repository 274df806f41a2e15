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
	is "$(tar -tvf "$a" --full-time | grep -v 1970-01-01 || true)" ""
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
	has "$output" "No such image: nosuch"
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
	cp -a "$file" "$BATS_TEST_TMPDIR/good"
	echo owt >"$file"
	run stave save -o "$a" t
	cat "$BATS_TEST_TMPDIR/good" >"$file"
	touch -r "$BATS_TEST_TMPDIR/good" "$file"
	ended 1
	has "$output" "is not what its digest says any more"
	[ ! -e "$a" ]
}

# ---- load ----

# A second store beside the first, empty.
elsewhere() {
	export STAVE_ROOT=$BATS_TEST_TMPDIR/elsewhere
}

# The members of the archive $1, to be changed and packed again.
unpacked() {
	x=$BATS_TEST_TMPDIR/members
	rm -rf "$x" && mkdir "$x" && tar -C "$x" -xf "$1"
}

# Nothing of a refused archive is there.
nothing_came() {
	is "$(stave images -qa)" ""
	is "$(find "$STAVE_ROOT/blobs" "$STAVE_ROOT/layers" -mindepth 1 -name '[0-9a-f]*' ! -name sha256)" ""
	store_is_clean
}

# Loads the directory $x, which must be refused with the words $1.
refused() {
	elsewhere
	tar -C "$x" -c . >"$BATS_TEST_TMPDIR/bad.tar"
	run stave load -i "$BATS_TEST_TMPDIR/bad.tar"
	ended 1
	has "$output" "$1"
	nothing_came
}

@test "load: what was saved comes back with its digests, names and bytes" {
	three_layers
	local id layers
	id=$(id_of t)
	layers=$(layers_of t)
	stave save -o "$a" t busybox:two
	elsewhere
	run stave load -i "$a"
	ended 0
	has "$output" "Loaded image: t:latest"
	has "$output" "Loaded image: busybox:two"
	is "$(id_of t)" "$id"
	is "$(layers_of t)" "$layers"
	is "$(in_t cat /two)" two
	run ! in_t test -e /d/one
	stave save t busybox:two | cmp - "$a"
	nothing_left
	# again, and there is nothing to do
	run stave load <"$a"
	ended 0
	has "$output" "Loaded image: t:latest"
}

@test "load: plain, gzip, bzip2, xz, zstd; from a pipe and a file" {
	local pack
	stave save -o "$a" busybox:two
	for pack in cat gzip bzip2 xz zstd; do
		command -v "$pack" >/dev/null || continue
		elsewhere
		run bash -c "$pack <'$a' | stave load -q"
		is "$output" "Loaded image: busybox:two"
		$pack <"$a" >"$a.packed"
		run stave load -i "$a.packed"
		is "$output" "Loaded image: busybox:two"
		rm -r "$STAVE_ROOT"
	done
}

@test "load: an id without names, and a name that moves" {
	local id
	id=$(id_of busybox)
	three_layers
	stave save -o "$a" "$id"
	elsewhere
	run stave load -i "$a"
	is "$output" "Loaded image ID: $id"
	printf 'FROM %s\nLABEL n=1\n' "${id#sha256:}" >"$ctx/Dockerfile"
	stave build -q -t t "$ctx"
	local old
	old=$(id_of t)
	STAVE_ROOT=$BATS_FILE_TMPDIR/store stave save -o "$a" t
	run stave load -i "$a"
	has "$output" "The image t:latest already exists, renaming the old one with ID $old to empty string"
	has "$output" "Loaded image: t:latest"
}

# What Docker wrote before version 25.
old_docker_archive() {
	three_layers
	stave save -o "$a" t
	unpacked "$a"
	local new="$BATS_TEST_TMPDIR/old" layer n=0 paths=() config
	mkdir "$new"
	for layer in $(layers_of t); do
		n=$((n + 1))
		mkdir "$new/v$n"
		echo 1.0 >"$new/v$n/VERSION"
		echo '{}' >"$new/v$n/json"
		cp "$x/blobs/sha256/${layer#sha256:}" "$new/l$n.tar"
		ln -s "../l$n.tar" "$new/v$n/layer.tar"
		paths+=("\"v$n/layer.tar\"")
	done
	config=$(id_of t | cut -d: -f2).json
	cp "$x/blobs/sha256/${config%.json}" "$new/$config"
	(IFS=,; echo "[{\"Config\":\"$config\",\"RepoTags\":[\"old:1\"],\"Layers\":[${paths[*]}]}]") >"$new/manifest.json"
	x=$new
}

@test "load: an archive of Docker before 25, with links for layers" {
	old_docker_archive
	local id
	id=$(id_of t)
	elsewhere
	run bash -c "tar -C '$x' -c . | stave load"
	is "$output" "Loaded image: old:1"
	is "$(id_of old:1)" "$id"
	nothing_left
}

@test "load: layers that are packed stay as they came" {
	old_docker_archive
	gzip -n "$x"/l2.tar
	mv "$x/l2.tar.gz" "$x/l2.tar"
	local id blob
	id=$(id_of t)
	blob=$(sha256sum <"$x/l2.tar" | cut -d' ' -f1)
	elsewhere
	tar -C "$x" -c . | stave load
	is "$(id_of old:1)" "$id"
	stave save -o "$a" old:1
	has "$(tar -tf "$a")" "blobs/sha256/$blob"
	blobs_are_true "$a"
	nothing_left
}

# An OCI layout in $x with one layer that another program wrote: its digest cannot be made
# from its files.  $1: what packs the layer; $2: its history.
foreign_archive() {
	x=$BATS_TEST_TMPDIR/foreign
	local files=$BATS_TEST_TMPDIR/files tar=$BATS_TEST_TMPDIR/layer diff_id
	rm -rf "$x" "$files"
	mkdir -p "$x/blobs/sha256" "$files/sub"
	echo hello >"$files/sub/f"
	tar -C "$files" --owner=someone:7 --group=some:8 --mtime=@1600000000.5 --format=gnu \
		-b 40 -cf "$tar" ./sub sub/f
	diff_id=$(sha256sum <"$tar" | cut -d' ' -f1)
	layer=$(${1:-cat} <"$tar" | put)
	config=$(echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$diff_id\"]},\"history\":[${2-}]}" | put)
	point_to "$config" "$layer" "${1:+gzip}"
}

# Manifest and index of config $1 and layer $2.
point_to() {
	manifest=$(echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:$1\",\"size\":$(size "$1")},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar${3:+"+$3"}\",\"digest\":\"sha256:$2\",\"size\":$(size "$2")}]}" | put)
	index "sha256:$manifest"
}

index() {
	echo '{"imageLayoutVersion":"1.0.0"}' >"$x/oci-layout"
	echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"$1\",\"size\":7,\"annotations\":{\"org.opencontainers.image.ref.name\":\"${2-for/eign:1}\"}}]}" >"$x/index.json"
}

# A blob of the archive from standard input.
put() {
	local d
	cat >"$x/new"
	d=$(sha256sum <"$x/new" | cut -d' ' -f1)
	mv "$x/new" "$x/blobs/sha256/$d"
	echo "$d"
}

size() { stat -c %s "$x/blobs/sha256/$1"; }

@test "load: the layers of others keep their digests, plain and packed" {
	local pack
	for pack in "" "gzip -n"; do
		foreign_archive "$pack"
		elsewhere
		run bash -c "tar -C '$x' -c . | stave load"
		is "$output" "Loaded image: for/eign:1"
		is "$(id_of for/eign:1)" "sha256:$config"
		stave save -o "$a" for/eign:1
		blobs_are_true "$a"
		has "$(member "$a" index.json)" "sha256:$manifest"
		cmp <(member "$a" "blobs/sha256/$layer") "$x/blobs/sha256/$layer"
		printf 'FROM scratch\nCOPY --from=for/eign:1 /sub /sub\n' >"$ctx/Dockerfile"
		build
		store_is_clean
		# damage is seen
		echo x >>"$STAVE_ROOT/blobs/sha256/$layer"
		run stave save -o "$a" for/eign:1
		ended 1
		run stave system check
		ended 1
		run stave system check --repair
		rm -r "$STAVE_ROOT"
	done
}

# ---- archives that are refused ----

@test "load: what is no archive, or ends too early" {
	x=$BATS_TEST_TMPDIR/none
	mkdir "$x"
	refused "not an image archive"
	echo '{"busybox":{"latest":"0"}}' >"$x/repositories"
	refused "an archive of Docker 1.9 or older"
	run stave load </dev/null
	ended 1
	has "$output" "the archive is empty"
	run stave load <<<"hello"
	ended 1
	has "$output" "not a tar archive"
	run stave load -i "$BATS_TEST_TMPDIR/nosuch"
	ended 1
	has "$output" "open $BATS_TEST_TMPDIR/nosuch"
	run stave load -i "$x"
	ended 1
	nothing_came
	STAVE_ROOT=$BATS_FILE_TMPDIR/store stave save -o "$a" busybox:two
	local part
	for part in 100 700 5000 500000; do
		head -c $part "$a" >"$a.cut"
		run stave load -i "$a.cut"
		ended 1
		nothing_came
		gzip -c "$a" | head -c $((part / 2)) >"$a.cut"
		run stave load -i "$a.cut"
		ended 1
		nothing_came
	done
}

@test "load: members that lead out of the archive" {
	local secret=canary-$RANDOM$RANDOM
	echo "$secret" >"$BATS_TEST_TMPDIR/canary"
	old_docker_archive
	local config
	config=$(cd "$x" && ls | grep -E '^[0-9a-f]{64}.json$')
	sed -i "s|$config|../../../../canary|" "$x/manifest.json"
	refused "image 1 of manifest.json"
	hasnt "$output" "$secret"
	sed -i "s|../../../../canary|$BATS_TEST_TMPDIR/canary|" "$x/manifest.json"
	refused "image 1 of manifest.json"
	hasnt "$output" "$secret"
	sed -i "s|$BATS_TEST_TMPDIR/canary|$config|" "$x/manifest.json"
	ln -sf "$BATS_TEST_TMPDIR/canary" "$x/v2/layer.tar"
	refused "layer v2/layer.tar"
	rm "$x/v2/layer.tar"
	refused "layer v2/layer.tar: it is missing"
	mkfifo "$x/v2/layer.tar"
	refused "layer v2/layer.tar"
	rm "$x/manifest.json"
	ln -s /etc/passwd "$x/manifest.json"
	refused "manifest.json"
	rm "$x/manifest.json"
	(cd "$x" && tar -cPf "$BATS_TEST_TMPDIR/out.tar" ../canary)
	run stave load -i "$BATS_TEST_TMPDIR/out.tar"
	ended 1
	nothing_came
}

@test "load: bytes that are not what their digests say" {
	old_docker_archive
	local config
	config=$(cd "$x" && ls | grep -E '^[0-9a-f]{64}.json$')
	cp -a "$x" "$x.good"
	echo ' ' >>"$x/$config"
	refused "$config is damaged: its bytes have another digest"
	cp "$x.good/$config" "$x/$config"
	printf x | dd of="$x/l3.tar" bs=1 seek=600 conv=notrunc status=none
	refused "layer v3/layer.tar"
	cp "$x.good/l3.tar" "$x/l3.tar"
	sed -i 's|,"v3/layer.tar"||' "$x/manifest.json"
	refused "manifest.json has 2 layers, the image's config 3"
	sed -i 's|"v2/layer.tar"|"v2/layer.tar","v3/layer.tar"|; s|old:1|old/X|' "$x/manifest.json"
	refused 'the name "old/X"'
	sed -i 's|old/X|old:1|; s|"Config"|"Konfig"|' "$x/manifest.json"
	refused 'image 1 of manifest.json: it has no "Config"'
	local text
	for text in '{}' '[]' '[1]' 'x' '' '[{"Config":3}]' "$(printf '[%.0s' $(seq 200))"; do
		printf '%s' "$text" >"$x/manifest.json"
		refused "manifest.json"
	done
	head -c 5000000 /dev/zero | tr '\0' ' ' >"$x/manifest.json"
	refused "manifest.json"
}

@test "load: a good image beside a bad one does not come in" {
	old_docker_archive
	sed -i 's|\]$|,{"Config":"nosuch","RepoTags":["bad:1"],"Layers":[]}]|' "$x/manifest.json"
	refused "image 2 of manifest.json: the config nosuch is missing"
}

@test "load: layouts that lie" {
	foreign_archive
	echo x >>"$x/blobs/sha256/$config"
	refused "blob sha256:$config is damaged"
	foreign_archive "gzip -n"
	printf x | dd of="$x/blobs/sha256/$layer" bs=1 seek=40 conv=notrunc status=none
	refused "blob sha256:$layer"
	foreign_archive
	rm "$x/blobs/sha256/$layer"
	refused "blobs/sha256/$layer is missing"
	# the packed bytes under the name of the plain ones
	foreign_archive
	gzip -n <"$x/blobs/sha256/$layer" >"$x/new"
	mv "$x/new" "$x/blobs/sha256/$layer"
	refused "the archive: layer sha256:"
	# one document that is a manifest to some and an index to others
	foreign_archive
	sed -i 's|"schemaVersion":2|"schemaVersion":2,"manifests":[]|' "$x/blobs/sha256/$manifest"
	index "sha256:$(put <"$x/blobs/sha256/$manifest")"
	refused "ambiguous"
	local digest
	for digest in sha256:../../../etc/passwd sha256:00 md5:0 "sha256:$(printf 'A%.0s' $(seq 64))"; do
		index "$digest"
		refused "index.json"
	done
	index "sha256:$(printf '0%.0s' $(seq 64))"
	refused "is missing"
	foreign_archive
	index "sha256:$manifest" "a:b:c:d"
	refused 'the name "a:b:c:d"'
}

@test "load: layers that want out" {
	local tar=$BATS_TEST_TMPDIR/evil.tar diff_id
	x=$BATS_TEST_TMPDIR/foreign
	mkdir -p "$x/blobs/sha256"
	touch "$BATS_TEST_TMPDIR/escaped"
	tar -C "$ctx" -cPf "$tar" ../escaped
	rm "$BATS_TEST_TMPDIR/escaped"
	diff_id=$(sha256sum <"$tar" | cut -d' ' -f1)
	layer=$(put <"$tar")
	config=$(echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$diff_id\"]}}" | put)
	point_to "$config" "$layer"
	refused 'could leave its directory'
}

@test "load: --platform takes that one or says that it is not there" {
	stave save -o "$a" busybox:two
	elsewhere
	run stave load --platform linux/s390x -i "$a"
	ended 1
	has "$output" "it does not provide the platform linux/s390x"
	nothing_came
	run stave load --platform "$(STAVE_ROOT=$BATS_FILE_TMPDIR/store stave inspect --format '{{.Os}}/{{.Architecture}}' busybox:two)" -i "$a"
	ended 0
}

# ---- other programs ----

# A place that the program $1 sees too, and its name there.
shared() {
	if ! command -v "$1" >/dev/null; then
		there=/tmp/stave-test-$$
		here=$PEERS$there
	else
		here=$BATS_TEST_TMPDIR/shared
		there=$here
	fi
	rm -rf "$here" && mkdir -p "$here"
}

@test "docker loads what was saved, and what it saves comes back, digests unchanged" {
	docker version >/dev/null 2>&1 || skip "docker is not there"
	three_layers
	local id name=stave-test-$$ layers
	id=$(id_of t)
	layers=$(layers_of t)
	stave tag t "$name"
	stave save -o "$a" "$name"
	is "$(docker load -i "$a")" "Loaded image: $name:latest"
	is "$(docker image inspect -f '{{.Id}}' "$name")" "$id"
	docker save -o "$a.docker" "$name"
	docker rmi "$name" >/dev/null
	elsewhere
	is "$(stave load -i "$a.docker")" "Loaded image: $name:latest"
	is "$(id_of "$name")" "$id"
	is "$(layers_of "$name")" "$layers"
	# one that Docker built: its tars are its own
	printf 'FROM scratch\nCOPY d /d\nCOPY Dockerfile /\n' >"$ctx/Dockerfile"
	docker build -q -t "$name" "$ctx" >/dev/null
	id=$(docker image inspect -f '{{.Id}}' "$name")
	docker save -o "$a.docker" "$name"
	stave load -q -i "$a.docker"
	is "$(id_of "$name")" "$id"
	stave save -o "$a" "$name"
	is "$(member "$a" index.json | grep -o '"digest":"[^"]*"')" \
		"$(member "$a.docker" index.json | grep -o '"digest":"[^"]*"')"
	docker rmi "$name" >/dev/null
	docker load -q -i "$a" >/dev/null
	is "$(docker image inspect -f '{{.Id}}' "$name")" "$id"
	docker rmi "$name" >/dev/null
}

@test "skopeo reads both forms of the archive, and outputs of builds" {
	peer skopeo --version >/dev/null 2>&1 || skip "skopeo is not there"
	three_layers
	shared skopeo
	local id
	id=$(id_of t)
	stave save -o "$here/a.tar" t
	peer skopeo --insecure-policy copy "docker-archive:$there/a.tar:t:latest" "dir:$there/dir" >/dev/null
	has "$(cat "$here/dir/manifest.json")" "$id"
	peer skopeo --insecure-policy copy "oci-archive:$there/a.tar:latest" "oci:$there/oci:x" >/dev/null
	local how
	for how in gzip zstd uncompressed; do
		stave build -q -t "o:1" -o "type=oci,dest=$here/o.tar,compression=$how" "$ctx" >/dev/null
		peer skopeo --insecure-policy copy --preserve-digests "oci-archive:$there/o.tar:1" "oci:$there/o-$how:x" >/dev/null
		rm "$here/o.tar"
	done
	stave build -q -t "o:1" -o "type=docker,dest=$here/d.tar" "$ctx" >/dev/null
	peer skopeo --insecure-policy copy "docker-archive:$there/d.tar:o:1" "oci:$there/d:x" >/dev/null
	# and what it writes is read
	tar -C "$here/oci" -cf "$a" .
	elsewhere
	is "$(stave load -i "$a")" "Loaded image ID: $(grep -aho '"config":{[^}]*}' "$here"/oci/blobs/sha256/* | grep -o 'sha256:[0-9a-f]*')"
	tar -C "$here/o-zstd" -cf "$a" .
	stave load -q -i "$a"
	rm -rf "$here"
}

@test "podman loads what was saved" {
	peer podman --version >/dev/null 2>&1 || skip "podman is not there"
	three_layers
	shared podman
	local name=localhost/stave-test-$$
	stave tag t "$name"
	stave save -o "$here/a.tar" "$name"
	peer podman load -q -i "$there/a.tar" >/dev/null 2>&1
	is "$(peer podman image inspect -f '{{.Id}}' "$name" 2>/dev/null)" "$(id_of t | cut -d: -f2)"
	peer podman save -q -o "$there/b.tar" "$name" 2>/dev/null
	peer podman save -q --format oci-archive -o "$there/c.tar" "$name" 2>/dev/null
	peer podman rmi "$name" >/dev/null 2>&1
	local id
	id=$(id_of t)
	elsewhere
	is "$(stave load -i "$here/b.tar")" "Loaded image: $name:latest"
	is "$(id_of "$name")" "$id"
	stave load -i "$here/c.tar"
	rm -rf "$here"
}

@test "umoci unpacks what save writes, and load reads what umoci packs" {
	command -v umoci >/dev/null || skip "umoci is not there"
	local dir=$BATS_TEST_TMPDIR/umoci
	mkdir -p "$dir/layout"
	printf 'FROM busybox\nRUN rm /etc/group; echo kept >/kept; chmod 4750 /kept\n' >"$ctx/Dockerfile"
	build
	stave save -o "$dir/a.tar" t
	tar -C "$dir/layout" -xf "$dir/a.tar"
	umoci unpack --image "$dir/layout:latest" "$dir/bundle"
	is "$(cat "$dir/bundle/rootfs/kept") $(stat -c %a "$dir/bundle/rootfs/kept")" "kept 4750"
	[ ! -e "$dir/bundle/rootfs/etc/group" ]
	echo new >"$dir/bundle/rootfs/new"
	rm "$dir/bundle/rootfs/kept"
	umoci repack --image "$dir/layout:latest" "$dir/bundle"
	umoci config --image "$dir/layout:latest" --config.env A=1
	umoci gc --layout "$dir/layout"
	digest=$(jq -r '.manifests[0].digest' "$dir/layout/index.json")
	id=$(jq -r .config.digest "$dir/layout/blobs/sha256/${digest#*:}")
	# the list that is Docker's alone still names the old image
	rm "$dir/layout/manifest.json"
	tar -C "$dir/layout" -cf "$dir/b.tar" .
	is "$(stave load -i "$dir/b.tar" | tail -1)" "Loaded image: t:latest"
	is "$(id_of t)" "$id"
	is "$(in_t cat /new)" new
	run in_t cat /kept
	differ "$status" 0
	has "$(config '{{json .Config.Env}}')" '"A=1"'
}

# ---- killed ----

@test "a load or save that is killed leaves nothing that counts" {
	head -c 20000000 /dev/urandom >"$ctx/noise"
	printf 'FROM busybox\nCOPY noise /\nRUN true\n' >"$ctx/Dockerfile"
	build
	stave save -o "$a" t
	local after
	for after in 0.005 0.02 0.04 0.08 0.15 0.3; do
		elsewhere
		timeout -s KILL "$after" stave load -i "$a" >/dev/null 2>&1 || true
		settled store_is_clean
		[ -z "$(ls "$STAVE_ROOT/leases" 2>/dev/null)" ]
		run stave load -i "$a"
		ended 0
		is "$output" "Loaded image: t:latest"
		store_is_clean
		rm -rf "$STAVE_ROOT"
		export STAVE_ROOT=$BATS_FILE_TMPDIR/store
		mkdir "$BATS_TEST_TMPDIR/out"
		timeout -s KILL "$after" stave save -o "$BATS_TEST_TMPDIR/out/f" t || true
		if [ -e "$BATS_TEST_TMPDIR/out/f" ]; then cmp "$BATS_TEST_TMPDIR/out/f" "$a"; fi
		rm -f "$BATS_TEST_TMPDIR/out/f"
		rmdir "$BATS_TEST_TMPDIR/out"
	done
}
