# SPDX-License-Identifier: Apache-2.0
# What registries have, looked at without a store: manifests, tags.

load common
load registry

needs_no_root=1

setup_file() { registry_with_images; }

teardown_file() { stop_registries; }

setup() { registry_images; }

# Nothing of this needs or makes a store.
teardown() { [ ! -e "$STAVE_ROOT" ]; }

@test "manifest inspect: a manifest is its own text, indented" {
	stave manifest inspect "$open/img:docker" >"$BATS_TEST_TMPDIR/out"
	expand -t 1 "$BATS_TEST_TMPDIR/out" | cmp - <(curl_manifest img docker | python3 -c '
import json, sys
print(json.dumps(json.load(sys.stdin), indent=1))')
	has "$(cat "$BATS_TEST_TMPDIR/out")" $'{\n\t"schemaVersion": 2,\n'
}

curl_manifest() {
	python3 -c 'import sys, urllib.request as u
print(u.urlopen(u.Request(f"http://{sys.argv[1]}/v2/{sys.argv[2]}/manifests/{sys.argv[3]}",
    headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"})).read().decode(), end="")' "$open" "$1" "$2"
}

@test "manifest inspect: a list is written as Docker writes one" {
	run stave manifest inspect "$open/img:all"
	ended 0
	is "$output" "{
   \"schemaVersion\": 2,
   \"mediaType\": \"application/vnd.oci.image.index.v1+json\",
   \"manifests\": [
      {
         \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\",
         \"size\": $oci_size,
         \"digest\": \"$oci\",
         \"platform\": {
            \"architecture\": \"amd64\",
            \"os\": \"linux\"
         }
      },
      {
         \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",
         \"size\": $docker_size,
         \"digest\": \"$docker\",
         \"platform\": {
            \"architecture\": \"arm\",
            \"os\": \"linux\",
            \"variant\": \"v7\"
         }
      }
   ]
}"
}

@test "manifest inspect -v: each with its bytes and its platform" {
	stave manifest inspect -v "$open/img:all" >"$BATS_TEST_TMPDIR/all"
	is "$(jq -r '.[].Ref' "$BATS_TEST_TMPDIR/all")" "$open/img:all@$oci
$open/img:all@$docker"
	is "$(jq -r '.[1] | keys_unsorted | join(" ")' "$BATS_TEST_TMPDIR/all")" \
		"Ref Descriptor Raw SchemaV2Manifest"
	is "$(jq -r '.[0].Raw' "$BATS_TEST_TMPDIR/all" | base64 -d | sha256sum | cut -d' ' -f1)" "${oci#*:}"
	# of a single one it is in the config
	stave manifest inspect -v "$open/img@$oci" >"$BATS_TEST_TMPDIR/one"
	is "$(jq -c '.Descriptor.platform' "$BATS_TEST_TMPDIR/one")" '{"architecture":"amd64","os":"linux"}'
	is "$(jq -c '.OCIManifest.config.digest' "$BATS_TEST_TMPDIR/one")" \
		"$(jq -c '.[0].OCIManifest.config.digest' "$BATS_TEST_TMPDIR/all")"
	is "$(jq -r .Ref "$BATS_TEST_TMPDIR/one")" "$open/img@$oci"
}

@test "manifest inspect of nothing" {
	run stave manifest inspect "$open/nothing"
	ended 1
	is "$output" "stave: no such manifest: $open/nothing:latest"
	run stave manifest inspect "localhost:1/x"
	ended 1
	has "$output" "localhost:1"
}

@test "imagetools inspect" {
	run stave buildx imagetools inspect "$open/img:all"
	ended 0
	is "$output" "Name:      $open/img:all
MediaType: application/vnd.oci.image.index.v1+json
Digest:    $all
           
Manifests: 
  Name:        $open/img:all@$oci
  MediaType:   application/vnd.oci.image.manifest.v1+json
  Platform:    linux/amd64
  Annotations: 
    note: first
             
  Name:      $open/img:all@$docker
  MediaType: application/vnd.docker.distribution.manifest.v2+json
  Platform:  linux/arm/v7"
	stave buildx imagetools inspect --raw "$open/img:all" | cmp - <(curl_manifest img all)
	inspect() { stave buildx imagetools inspect --format "$1" "$open/img:all"; }
	is "$(inspect '{{.Name}} {{.Manifest.Digest}}')" "$open/img:all $all"
	is "$(inspect '{{range .Manifest.Manifests}}{{.Platform.Architecture}} {{end}}')" "amd64 arm "
	is "$(inspect '{{json .Image}}' | jq -r 'keys | join(" ")')" "linux/amd64 linux/arm/v7"
	is "$(inspect '{{json .}}' | jq -r 'keys_unsorted | join(" ")')" "name manifest image"
}

@test "image ls --remote: the tags of a repository" {
	is "$(stave image ls --remote -q "$open/many" | wc -l)" 130
	run stave images --remote "$open/img"
	ended 0
	is "$(sed 's/  */ /g' <<<"$output")" "REPOSITORY TAG
$open/img all
$open/img docker
$open/img ${oci/:/-}"
	tag=$(stave buildx imagetools inspect --format '{{.Manifest.Digest}}' "$open/img:${oci/:/-}")
	tag="${oci/:/-} $tag"
	is "$(stave image ls --remote --format '{{.Tag}} {{.Digest}}' "$open/img")" "all $all
docker $docker
$tag"
	is "$(stave image ls --remote --format json "$open/img" | jq -r .Tag | xargs)" "all docker ${oci/:/-}"
	run stave image ls --remote "$open/nothing"
	ended 1
	has "$output" "not found"
	run stave image ls --remote
	ended 125
	run stave image ls --remote "$open/img:all"
	ended 1
	has "$output" "write it without tag and digest"
}

@test "manifest referrers" {
	run stave manifest referrers "$open/img@$oci"
	ended 0
	is "$(sed 's/  */ /g' <<<"$output")" "DIGEST ARTIFACT TYPE SIZE
$signature application/x.signature $(stave manifest referrers --format '{{.Size}}' "$open/img@$oci")"
	is "$(stave manifest referrers -q "$open/img:all")" ""
	run stave manifest referrers "$open/nothing"
	ended 1
	has "$output" "manifest for $open/nothing:latest not found"
}
