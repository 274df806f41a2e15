# SPDX-License-Identifier: Apache-2.0
# A build cache that is carried from one machine to another in a directory.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	cache=$BATS_TEST_TMPDIR/cache
	am_root || return 0
	mkdir -p "$ctx/src"
	echo hello >"$ctx/src/a"
	dockerfile <<-END
	FROM busybox AS builder
	WORKDIR /w
	RUN head -c 300000 /dev/urandom > made; echo $BATS_TEST_NUMBER > number
	COPY src src
	FROM busybox
	COPY --from=builder /w/made /made
	COPY src/a /a
	RUN echo last > /last
	END
}

to() { echo "--cache-to=type=local,dest=$cache${1:+,$1}"; }
from() { echo "--cache-from=type=local,src=$cache${1:+,$1}"; }

# FILTER: of the cache's document
document() {
	local manifest config
	manifest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "latest") | .digest' "$cache/index.json")
	config=$(jq -r .config.digest "$cache/blobs/sha256/${manifest#sha256:}")
	jq -r "$1" "$cache/blobs/sha256/${config#sha256:}"
}

layer_count() { find "$STAVE_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l; }

all_cached() {
	is "$(cached)" 7
	hasnt "$output" "not used"
}

@test "mode=max: another store runs nothing, and gets the same image" {
	build "$(to mode=max)"
	local id
	id=$(stave images -q --no-trunc t)
	elsewhere
	build_log "$(from)"
	ended 0
	all_cached
	is "$(stave images -q --no-trunc t)" "$id"
	is "$(in_t cat /a /last)" "$(printf 'hello\nlast')"
	is "$(in_t sh -c 'wc -c < /made')" 300000
	# what the builder made was not needed, and is not there: base and three layers
	is "$(layer_count)" 4
	# from now on it is its own
	rm -r "$cache"
	stave rmi t
	printf 'FROM busybox\nCOPY src/a /a\n' | run stave build --progress=plain -f - "$ctx"
	ended 0
	store_is_clean
}

@test "the layers of other stages come when a step needs them" {
	build "$(to mode=max)"
	elsewhere
	echo 'RUN --mount=from=builder,target=/b cat /b/w/number > /number' >>"$ctx/Dockerfile"
	build_log "$(from)"
	ended 0
	is "$(cached)" 7
	is "$(in_t cat /number)" "$BATS_TEST_NUMBER"
	is "$(layer_count)" 8
	build_log
	is "$(cached)" 8
	store_is_clean
}

@test "mode=min: the result's layers only, and still nothing runs" {
	build "$(to mode=min)"
	is "$(document '.layers | length')" 3
	is "$(document '[.records[] | select(.stave.diffID)] | length')" 6
	elsewhere
	build_log "$(from)"
	ended 0
	all_cached
}

@test "mode=min: what has no files is made again when they are needed" {
	build "$(to)"
	elsewhere
	echo 'COPY --from=builder /w/number /number' >>"$ctx/Dockerfile"
	build_log "$(from)"
	ended 0
	is "$(in_t sh -c 'wc -l < /number')" 1
	is "$(in_t cat /a)" hello
	store_is_clean
}

@test "a change runs what it must, from both sides" {
	build "$(to mode=max)"
	elsewhere
	echo changed >"$ctx/src/a"
	build_log "$(from)" "$(to mode=max)"
	ended 0
	is "$(in_t cat /a)" changed
	# FROM, WORKDIR, RUN head, COPY --from: the rest ran
	is "$(cached)" 4
	local id
	id=$(stave images -q --no-trunc t)
	elsewhere 2
	build_log "$(from)"
	all_cached
	is "$(stave images -q --no-trunc t)" "$id"
}

@test "compressions; and what is there is not packed again" {
	local how
	for how in uncompressed gzip zstd; do
		rm -rf "$cache"
		build "$(to "mode=max,compression=$how")"
		elsewhere "$how"
		build_log "$(from)"
		ended 0
		all_cached
		STAVE_ROOT=$BATS_FILE_TMPDIR/store
	done
	has "$(document '.layers[0].annotations.mediaType')" "tar+zstd"
	build "$(to "mode=max,compression=gzip")"
	has "$(document '.layers[0].annotations.mediaType')" "tar+zstd"
	build "$(to "mode=max,compression=gzip,force-compression=true,compression-level=9")"
	has "$(document '.layers[0].annotations.mediaType')" "tar+gzip"
}

@test "it is an OCI layout of ordinary layers" {
	build "$(to mode=max)"
	is "$(cat "$cache/oci-layout")" '{"imageLayoutVersion":"1.0.0"}'
	local digest size blob
	while read -r digest size; do
		blob=$cache/blobs/sha256/${digest#sha256:}
		is "$(sha256sum <"$blob" | cut -d' ' -f1)" "${digest#sha256:}"
		is "$(stat -c %s "$blob")" "$size"
		tar -tzf "$blob" >/dev/null
	done < <(document '.layers[] | .blob + " " + (.annotations.size | tostring)')
	is "$(document '.layers[-1].annotations.diffID')" "sha256:$(gzip -dc "$blob" | sha256sum | cut -d' ' -f1)"
}

@test "the same build writes the same cache, and a new one takes the old one's files away" {
	build "$(to mode=max)"
	local before
	before=$(find "$cache" -type f | sort | xargs sha256sum)
	build "$(to mode=max)"
	is "$(find "$cache" -type f | sort | xargs sha256sum)" "$before"
	echo other >"$ctx/src/a"
	build "$(to mode=max)" --no-cache
	# three documents, as many blobs as layers, the lock
	is "$(find "$cache/blobs" -type f | wc -l)" "$((2 + $(document '[.layers[].blob] | unique | length')))"
	build "$(to mode=max,tag=second)"
	is "$(jq '.manifests | length' "$cache/index.json")" 2
	elsewhere
	build_log "$(from tag=second)"
	all_cached
}

@test "several at once into one directory" {
	local i
	build
	for i in 1 2 3 4; do
		stave build -q "$(to "mode=max,tag=t$i")" "$ctx" >/dev/null &
	done
	wait
	is "$(jq '.manifests | length' "$cache/index.json")" 4
	elsewhere
	for i in 1 2 3 4; do
		build_log "$(from "tag=t$i")"
		all_cached
	done
}

@test "cache mounts travel in it, if both sides want it" {
	local how
	dockerfile <<-END
	FROM busybox
	RUN --mount=type=cache,id=$BATS_TEST_NUMBER,target=/m echo kept > /m/f; chown 5 /m/f
	END
	for how in uncompressed zstd; do
		STAVE_ROOT=$BATS_FILE_TMPDIR/store
		build "$(to "cache-mounts=true,compression=$how,tag=$how")"
		elsewhere "$how"
		stave build -q -t t "$(from "cache-mounts=true,tag=$how")" - >/dev/null <<-END
		FROM busybox
		RUN --mount=type=cache,id=$BATS_TEST_NUMBER,target=/m stat -c %u /m/f > /saw; cat /m/f >> /saw
		END
		is "$(in_t cat /saw)" "$(printf '5\nkept')"
		store_is_clean
	done
	# written again, nothing of it is taken away
	STAVE_ROOT=$BATS_FILE_TMPDIR/store
	build "$(to "cache-mounts=true,compression=zstd,tag=zstd")"
	is "$(find "$cache/blobs" -type f | wc -l)" 8
}

# ---- directories that lie ----

@test "none there: remarked on, and built" {
	build_log "$(from)"
	ended 0
	has "$output" "--cache-from $cache: not used:"
	mkdir "$cache"
	build_log "$(from)"
	has "$output" "not an OCI image layout"
	build "$(to mode=max)"
	build_log --no-cache "$(from tag=other)"
	has "$output" "no image has the tag other"
}

@test "a blob that is missing, short or another: those steps run" {
	build "$(to mode=max)"
	local blob
	blob=$cache/blobs/sha256/$(document '.layers[-1].blob' | cut -d: -f2)
	cp "$blob" "$BATS_TEST_TMPDIR/good"
	rm "$blob"
	elsewhere 1
	build_log "$(from)"
	ended 0
	has "$output" "a layer is not used"
	is "$(cached)" 6
	is "$(in_t cat /last)" last
	head -c 50 "$BATS_TEST_TMPDIR/good" >"$blob"
	elsewhere 2
	build_log "$(from)"
	ended 0
	has "$output" "has 50 bytes"
	is "$(in_t cat /last)" last
	# as long as it should be, and not what it should be
	tr '\000-\377' '\001-\377\000' <"$BATS_TEST_TMPDIR/good" >"$blob"
	elsewhere 3
	build_log "$(from)"
	ended 0
	has "$output" "is not used"
	is "$(in_t cat /last)" last
	# and written again as it should be
	build "$(to mode=max)"
	elsewhere 4
	build_log "$(from)"
	all_cached
	store_is_clean
}

# Replaces the blob of the last layer, and its digest and size everywhere.
forge() {
	local old new manifest config size
	old=$(document '.layers[-1].blob')
	new=sha256:$(sha256sum <"$1" | cut -d' ' -f1)
	size=$(stat -c %s "$1")
	cp "$1" "$cache/blobs/sha256/${new#sha256:}"
	manifest=$(jq -r '.manifests[0].digest' "$cache/index.json")
	config=$(jq -r .config.digest "$cache/blobs/sha256/${manifest#sha256:}")
	jq -c "(.layers[] | select(.blob == \"$old\")) |=
		(.blob = \"$new\" | .annotations.size = $size) ${2-}" \
		"$cache/blobs/sha256/${config#sha256:}" >"$BATS_TEST_TMPDIR/config"
	new=$(sha256sum <"$BATS_TEST_TMPDIR/config" | cut -d' ' -f1)
	cp "$BATS_TEST_TMPDIR/config" "$cache/blobs/sha256/$new"
	jq -c ".config.digest = \"sha256:$new\" | .config.size = $(stat -c %s "$BATS_TEST_TMPDIR/config")" \
		"$cache/blobs/sha256/${manifest#sha256:}" >"$BATS_TEST_TMPDIR/manifest"
	new=$(sha256sum <"$BATS_TEST_TMPDIR/manifest" | cut -d' ' -f1)
	cp "$BATS_TEST_TMPDIR/manifest" "$cache/blobs/sha256/$new"
	jq -c ".manifests[0].digest = \"sha256:$new\" | .manifests[0].size = $(stat -c %s "$BATS_TEST_TMPDIR/manifest")" \
		"$cache/index.json" >"$BATS_TEST_TMPDIR/index"
	cp "$BATS_TEST_TMPDIR/index" "$cache/index.json"
}

@test "a layer that is another than its record says is made instead" {
	build "$(to mode=max)"
	mkdir "$BATS_TEST_TMPDIR/evil"
	echo evil >"$BATS_TEST_TMPDIR/evil/last"
	tar -C "$BATS_TEST_TMPDIR/evil" -czf "$BATS_TEST_TMPDIR/evil.tgz" last
	forge "$BATS_TEST_TMPDIR/evil.tgz"
	elsewhere
	build_log "$(from)"
	ended 0
	has "$output" "its tar is not what its record says"
	is "$(in_t cat /last)" last
	# the one that was made is known now, and nobody asks for the other
	build_log "$(from)"
	all_cached
	store_is_clean
}

@test "hostile tars stay inside, and are not used" {
	build "$(to mode=max)"
	local n=0
	mkdir "$BATS_TEST_TMPDIR/h"
	(
		cd "$BATS_TEST_TMPDIR/h"
		echo x >f
		tar --transform 's,^,../../../../../../../../tmp/escape-,' -P -czf ../h1 f 2>/dev/null
		ln -s /etc link
		tar -cf ../h2.tar link
		mkdir -p d/link
		echo x >d/link/stave-escape
		tar -rf ../h2.tar -C d link/stave-escape
		gzip -c ../h2.tar >../h2
		head -c 100 /dev/urandom >../h3
		head -c 100000000 /dev/zero >big
		tar -cf - big | gzip -1 >../h4
	)
	for n in 1 2 3 4; do
		forge "$BATS_TEST_TMPDIR/h$n"
		elsewhere "$n"
		build_log "$(from)"
		ended 0
		has "$output" "is not used"
		is "$(in_t cat /last)" last
		store_is_clean
	done
	[ ! -e /etc/stave-escape ] && ! ls /tmp/escape-* 2>/dev/null
}

@test "documents that are no documents" {
	build "$(to mode=max)"
	local manifest config
	manifest=$cache/blobs/sha256/$(jq -r '.manifests[0].digest' "$cache/index.json" | cut -d: -f2)
	config=$cache/blobs/sha256/$(jq -r .config.digest "$manifest" | cut -d: -f2)
	cp -r "$cache" "$cache.good"
	elsewhere
	try() {
		build_log "$(from)" --no-cache
		ended 0
		has "$output" "not used"
		rm -r "$cache"
		cp -r "$cache.good" "$cache"
	}
	echo '{}' >"$config"
	try
	: >"$manifest"
	try
	head -c 20 "$cache.good/index.json" >"$cache/index.json"
	try
	rm "$config"
	mkfifo "$config"
	try
	ln -sf /etc/passwd "$manifest"
	try
	forge /dev/null '| .records[0].layers[0].layer = 4000'
	try
	forge /dev/null '| .records[0].stave.createdAt = "soon"'
	try
	forge /dev/null '| .stave.keys = "stave step 0"'
	build_log "$(from)" --no-cache
	has "$output" "written by another version of stave"
}

@test "an image and BuildKit's own cache are no caches" {
	mkdir "$cache"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$cache/oci-layout"
	mkdir -p "$cache/blobs/sha256"
	local digest
	printf '{}' >"$cache/blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	echo '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}' >"$BATS_TEST_TMPDIR/m"
	digest=$(sha256sum <"$BATS_TEST_TMPDIR/m" | cut -d' ' -f1)
	cp "$BATS_TEST_TMPDIR/m" "$cache/blobs/sha256/$digest"
	echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$digest\",\"size\":$(stat -c %s "$BATS_TEST_TMPDIR/m"),\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}" >"$cache/index.json"
	build_log "$(from)"
	ended 0
	has "$output" "BuildKit"
	# and ours goes beside it without harm
	build "$(to tag=mine)"
	is "$(jq '.manifests | length' "$cache/index.json")" 2
	[ -e "$cache/blobs/sha256/$digest" ]
}

@test "what cannot be, and what is not there yet, is named" {
	local value
	while IFS='|' read -r value expected; do
		run stave build "--cache-to=$value" "$ctx"
		ended 1
		has "$output" "$expected"
	done <<-END
	type=registry|--cache-to: type=registry needs ref=NAME
	type=registry,ref=a/B|--cache-to: invalid reference format
	type=registry,ref=a/b,dest=x|--cache-to: unknown key dest
	type=registry,ref=a/b,oci-mediatypes=false,image-manifest=true|OCI mediatypes are required
	type=inline,dest=x|--cache-to: unknown key dest
	type=gha|--cache-to: caches of type gha are not supported
	type=s3,bucket=x|--cache-to: caches of type s3 are not supported
	type=azblob|--cache-to: caches of type azblob are not supported
	type=nosuch|--cache-to: there is no cache of type nosuch
	dest=$cache|--cache-to: type is missing
	type=local|--cache-to: type=local needs dest=DIR
	type=local,dest=$cache,mode=most|--cache-to: mode=most: expected min or max
	type=local,dest=$cache,compression=estargz|compression=estargz: expected uncompressed, gzip or zstd
	type=local,dest=$cache,compression=gzip,compression-level=20|compression-level=20
	type=local,dest=$cache,src=x|unknown key src
	type=local,x|"x" is not of the form key=value
	END
	[ ! -e "$cache" ]
	run stave build --cache-from=type=local "$ctx"
	has "$output" "--cache-from: type=local needs src=DIR"
	run stave build --cache-from=type=local,src=x,mode=max "$ctx"
	has "$output" "unknown key mode"
}

@test "a cache that cannot be written fails the build, unless it may" {
	echo file >"$cache"
	run stave build "$(to)" "$ctx"
	ended 1
	has "$output" "exporting cache to $cache"
	run stave build "$(to ignore-error=true)" "$ctx"
	ended 0
}

@test "kill -9 while it is written: the old one is still whole" {
	head -c 30000000 /dev/urandom >"$ctx/src/big"
	build "$(to mode=max)"
	local i
	for i in 1 2 3 4 5 6; do
		echo "$i" >"$ctx/src/a"
		stave build -q "$(to mode=max,compression=gzip,compression-level=9)" "$ctx" >/dev/null 2>&1 &
		sleep "0.$i"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		elsewhere "$i"
		build_log "$(from)"
		ended 0
		hasnt "$output" "not used"
		STAVE_ROOT=$BATS_FILE_TMPDIR/store
	done
	build "$(to mode=max)"
	is "$(find "$cache" -name '.stave-*' | wc -l)" 0
	store_is_clean
}
