# SPDX-License-Identifier: Apache-2.0
#
# What other builders got wrong once, each as a story.  The numbers are those of
# their issue trackers.

load common

setup_file() { private_store; }

# How many steps ran of a build of $ctx.
ran() {
	build_log "$@"
	ended 0
	grep -c '^#[0-9]* DONE' <<<"$output" || true
}

@test "the body of a heredoc is part of the key (podman 21498, 24089, 25469)" {
	local what
	for what in 'RUN <<E' 'RUN cat <<E >/f' 'COPY <<E /f' 'ADD <<E /f'; do
		printf 'FROM busybox\n%s\necho first >/f\nE\n' "$what" >"$ctx/Dockerfile"
		build
		first=$(layers_of t)
		printf 'FROM busybox\n%s\necho other >/f\nE\n' "$what" >"$ctx/Dockerfile"
		build
		differ "$(layers_of t)" "$first"
		has "$(in_t cat /f)" other
	done
}

@test "the content behind a bind mount is part of the key (podman 22450)" {
	mkdir "$ctx/d" && echo one >"$ctx/d/f"
	dockerfile <<-'E'
		FROM busybox
		RUN --mount=type=bind,source=d,target=/d cp /d/f /f
	E
	build
	echo two >"$ctx/d/f"
	build
	is "$(in_t cat /f)" two
}

@test "an ENV that an ARG feeds runs again what sees it (buildah 5501)" {
	dockerfile <<-'E'
		FROM busybox
		ARG V=1
		ENV W=$V
		RUN echo $W >/w
	E
	build --build-arg V=2
	build --build-arg V=3
	is "$(in_t cat /w)" 3
	has "$(config '{{json .Config.Env}}')" '"W=3"'
}

@test "all sources of a COPY count (buildkit 853, moby 38964)" {
	echo 1 >"$ctx/a" && echo 1 >"$ctx/b" && echo 1 >"$ctx/c.txt"
	dockerfile <<-'E'
		FROM busybox
		COPY a b *.txt /d/
	E
	build
	local f
	for f in a b c.txt; do
		echo changed >"$ctx/$f"
		build
		is "$(in_t cat "/d/$f")" changed
	done
}

@test "hard links stay links when layers are made one (docker-squash 94)" {
	dockerfile <<-'E'
		FROM busybox
		RUN echo x >/a && ln /a /b
		RUN touch /other
	E
	build --flatten
	is "$(layers_of t | wc -l)" 1
	is "$(in_t stat -c %h /a)" 2
	is "$(in_t stat -c %i /a /b | sort -u | wc -l)" 1
}

@test "clamping times leaves the layers of the base alone (moby 43124)" {
	dockerfile <<-'E'
		FROM busybox
		RUN touch /new
	E
	base=$(layers_of busybox)
	SOURCE_DATE_EPOCH=1000 stave build -q -o "type=docker,dest=$BATS_TEST_TMPDIR/o.tar,rewrite-timestamp=true" "$ctx" >/dev/null
	mkdir "$BATS_TEST_TMPDIR/o" && tar -C "$BATS_TEST_TMPDIR/o" -xf "$BATS_TEST_TMPDIR/o.tar"
	cd "$BATS_TEST_TMPDIR/o"
	config=$(jq -r '.[0].Config' manifest.json)
	is "$(jq -r '.rootfs.diff_ids[0]' "$config")" "$base"
	# and what the build made is clamped
	last=$(jq -r '.[0].Layers[-1]' manifest.json)
	is "$(tar -tvf "$last" --full-time --utc | awk '$6 == "new" { print $4 }')" 1970-01-01
}

@test "--no-cache reaches every RUN of every stage (buildkit 4535)" {
	dockerfile <<-'E'
		FROM busybox AS a
		RUN cat /proc/sys/kernel/random/uuid >/a
		FROM busybox AS b
		RUN cat /proc/sys/kernel/random/uuid >/b
		FROM a
		COPY --from=b /b /b
		RUN cat /proc/sys/kernel/random/uuid >/c
	E
	build
	first=$(in_t cat /a /b /c)
	build --no-cache
	second=$(in_t cat /a /b /c)
	for n in 1 2 3; do
		differ "$(sed -n ${n}p <<<"$first")" "$(sed -n ${n}p <<<"$second")"
	done
}

@test "an image with a VOLUME runs with a read-only root (containerd 12834)" {
	dockerfile <<-'E'
		FROM busybox
		RUN mkdir /v && echo kept >/v/f
		VOLUME /v
	E
	build
	is "$(stave run --rm --read-only --network none t cat /v/f)" kept
	is "$(stave run --rm --read-only --network none t sh -c 'echo new >/v/f; cat /v/f')" new
}

@test "a VOLUME that the image does not have is made, also below a read-only root" {
	dockerfile <<-'E'
		FROM busybox
		VOLUME /no/such/dir
	E
	build
	is "$(stave run --rm --read-only --network none t sh -c 'echo x >/no/such/dir/f; cat /no/such/dir/f')" x
	is "$(stave volume ls -q)" ""
}

@test "one platform gives one manifest, no index, unless asked (buildx 1509)" {
	dockerfile <<-'E'
		FROM busybox
		RUN touch /x
	E
	stave build -q -o "type=oci,dest=$BATS_TEST_TMPDIR/o.tar" "$ctx" >/dev/null
	is "$(tar -xOf "$BATS_TEST_TMPDIR/o.tar" index.json | jq -r '.manifests | length')" 1
	is "$(tar -xOf "$BATS_TEST_TMPDIR/o.tar" index.json | jq -r '.manifests[0].mediaType')" \
		application/vnd.oci.image.manifest.v1+json
}

@test "logs are whole (buildx 484)" {
	dockerfile <<-'E'
		FROM busybox
		RUN seq 1 400000; echo the-end
	E
	stave build --no-cache --progress=plain "$ctx" >"$BATS_TEST_TMPDIR/plain" 2>&1
	is "$(grep -cE '^#[0-9]+ [0-9.]+ [0-9]+$' "$BATS_TEST_TMPDIR/plain")" 400000
	has "$(tail -20 "$BATS_TEST_TMPDIR/plain")" the-end
	stave build log >"$BATS_TEST_TMPDIR/log"
	is "$(grep -cE '[0-9]+$' "$BATS_TEST_TMPDIR/log")" 400000
	has "$(tail -3 "$BATS_TEST_TMPDIR/log")" the-end
}

@test "the cap of the cache is a ceiling (runtime 879)" {
	local n
	for n in 1 2 3 4 5 6; do
		printf 'FROM busybox\nRUN head -c 1000000 /dev/urandom >/f%d\n' $n >"$ctx/Dockerfile"
		stave build -q --no-cache "$ctx" >/dev/null
	done
	stave image prune -f >/dev/null
	stave builder prune -a -f --max-used-space 2500000 >/dev/null
	left=$(du -sb "$STAVE_ROOT"/layers/ | cut -f1)
	base=$(stave inspect --format '{{.Size}}' busybox)
	[ $((left - base)) -le 2600000 ] || { echo "left $left, of which the base has $base"; return 1; }
	# and it was not all thrown away
	[ $((left - base)) -ge 900000 ] || { echo "left $left"; return 1; }
}

@test "a pattern without a match beside a source that is there (buildkit 1266)" {
	echo a >"$ctx/a"
	dockerfile <<-'E'
		FROM busybox
		COPY a nothing* /d/
	E
	build
	is "$(in_t ls /d)" a
	dockerfile <<-'E'
		FROM busybox
		COPY nothing* /d/
	E
	build_log
	ended 0 # as with Docker
}
