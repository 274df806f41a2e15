# SPDX-License-Identifier: Apache-2.0
# image copy: from place to place, digests unchanged, without a store.

load common
load registry

needs_no_root=1

setup_file() { registry_with_images other; }

teardown_file() { stop_registries; }

setup() {
	registry_images
	export TMPDIR=$BATS_TEST_TMPDIR/tmp
	mkdir "$TMPDIR"
	cd "$BATS_TEST_TMPDIR"
}

# Neither a store nor a temporary file is left.
teardown() { [ ! -e "$STAVE_ROOT" ] && [ -z "$(ls "$TMPDIR" 2>/dev/null)" ]; }

digest_of() { stave buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }

# The blobs that a registry has been given.
sent() { find "$BATS_FILE_TMPDIR/$1.d/data" -name data | wc -l; }

@test "a whole index to another registry, once" {
	run stave image copy "$open/img:all" "$other/copy/of:it"
	ended 0
	is "$(grep -c ': Copied$' <<<"$output")" 4
	is "${lines[-1]}" "Digest: $all"
	is "$(digest_of "$other/copy/of:it")" "$all"
	is "$(digest_of "$other/copy/of@$docker")" "$docker"
	before=$(sent other)
	run stave image copy "$open/img:all" "$other/copy/of:again"
	ended 0
	is "$output" "Digest: $all"
	is "$(sent other)" "$before"
	# the bytes are good
	cmp <(curl -s "http://$open/v2/img/manifests/$oci" -H 'Accept: */*') \
		<(curl -s "http://$other/v2/copy/of/manifests/$oci" -H 'Accept: */*')
}

@test "in one registry: nothing is sent" {
	before=$(sent open)
	run stave image copy "docker://$open/img:docker" "$open/elsewhere"
	ended 0
	is "$(grep -c ': Mounted from img$' <<<"$output")" 2
	is "$(digest_of "$open/elsewhere:latest")" "$docker"
	is "$(sent open)" "$before"
	is "$(stave image copy -q "$open/img:docker" "$open/img:more")" "$docker"
	is "$(digest_of "$open/img:more")" "$docker"
}

@test "one platform of several" {
	stave image copy --platform linux/arm/v7 "$open/img:all" "$other/one"
	is "$(digest_of "$other/one")" "$docker"
	run stave image copy --platform linux/s390x "$open/img:all" "$other/none"
	ended 1
	has "$output" "no matching manifest for linux/s390x"
	run stave manifest inspect "$other/none"
	ended 1
}

@test "what refers to it, and its list at the new place" {
	stave image copy "$open/img:all" "$other/bare"
	is "$(stave manifest referrers -q "$other/bare@$oci")" ""
	stave image copy --referrers "$open/img:all" "$other/signed"
	is "$(stave manifest referrers --format '{{.Digest}} {{.ArtifactType}}' "$other/signed@$oci")" \
		"$signature application/x.signature"
	# also when the images themselves are there
	stave image copy --referrers "$open/img:all" "$other/bare"
	is "$(stave manifest referrers -q "$other/bare@$oci")" "$signature"
	# a second one does not push the first one out
	python3 - "$other" "$BATS_FILE_TMPDIR/digests" <<-'END'
		import json, sys, urllib.request as u
		words = dict(w.split("=") for w in open(sys.argv[2]).read().split())
		base, oci = f"http://{sys.argv[1]}/v2/signed/manifests/", "application/vnd.oci.image.manifest.v1+json"
		doc = json.load(u.urlopen(u.Request(base + words["signature"], headers={"Accept": oci})))
		doc["artifactType"] = "application/x.second"
		u.urlopen(u.Request(base + "second", json.dumps(doc).encode(), {"Content-Type": oci}, method="PUT"))
	END
	stave image copy "$other/signed:second" "$other/signed:moved"
	is "$(stave manifest referrers --format '{{.ArtifactType}}' "$other/signed@$oci" | xargs)" \
		"application/x.signature application/x.second"
}

@test "a layout, and back" {
	stave image copy "$open/img:all" "oci:layout:all"
	run stave image copy "$open/img:docker" "oci:layout:docker"
	ended 0
	is "$(grep -c 'Layer already exists' <<<"$output")" 2
	stave image copy "$open/img:docker" "oci:layout:docker"
	is "$(jq -r '.manifests[] | .digest + " " + .annotations["org.opencontainers.image.ref.name"]' layout/index.json)" \
		"$all all
$docker docker"
	for blob in layout/blobs/sha256/*; do is "$(sha256sum <"$blob")" "$(basename "$blob")  -"; done
	stave image copy "oci:layout:all" "$other/back"
	is "$(digest_of "$other/back")" "$all"
	stave image copy "oci:layout@$docker" "$other/back:d"
	is "$(digest_of "$other/back:d")" "$docker"
	if command -v skopeo >/dev/null; then
		is "$(skopeo inspect --raw oci:layout:all | sha256sum | cut -d' ' -f1)" "${all#*:}"
	fi
	# a whole reference has the tag, too; what is called so and no more comes first
	jq -c '.manifests[0].annotations["org.opencontainers.image.ref.name"] = "app:docker"' layout/index.json >index
	cp index layout/index.json
	is "$(stave image copy -q "oci:layout:docker" "$other/back:named")" "$docker"
	run stave image copy "oci:layout:none" "$other/back"
	ended 1
	has "$output" "no image has the tag none"
}

@test "archives, and back" {
	stave image copy "$open/img:all" oci-archive:all.tar:it
	stave image copy oci-archive:all.tar:it "$other/archived"
	is "$(digest_of "$other/archived")" "$all"
	stave image copy --platform linux/amd64 "$open/img:all" docker-archive:one.tar:name:tag
	is "$(tar -xOf one.tar manifest.json | jq -r '.[0].RepoTags[]')" name:tag
	stave image copy docker-archive:one.tar:name:tag "$other/one:d"
	is "$(digest_of "$other/one:d")" "$oci"
	run stave image copy docker-archive:one.tar:other:tag "$other/one:e"
	ended 1
	tar -cf no.tar --files-from /dev/null
	run stave image copy docker-archive:no.tar "$other/x"
	ended 1
	has "$output" "an archive without an OCI index"
	is "$(ls)" "all.tar
ctx
no.tar
one.tar
tmp"
}

@test "a copy that lies, or does not exist" {
	stave image copy "$open/img:docker" "oci:layout:x"
	layer=$(stave manifest inspect "$open/img:docker" | jq -r '.layers[0].digest')
	echo "Layer of docker" >"layout/blobs/sha256/${layer#*:}"
	truncate -s 15 "layout/blobs/sha256/${layer#*:}"
	run stave image copy "oci:layout:x" "$other/bad"
	ended 1
	has "$output" "verification failed for digest $layer"
	run stave manifest inspect "$other/bad"
	ended 1
	run stave image copy "$open/nothing" "$other/x"
	ended 1
	has "$output" "manifest for $open/nothing:latest not found"
	run stave image copy "$open/img:all" "oci:"
	ended 1
	run stave image copy "$open/img:all" "oci-archive:nowhere/x.tar"
	ended 1
	has "$output" "nowhere"
}
