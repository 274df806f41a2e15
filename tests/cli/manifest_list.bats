# SPDX-License-Identifier: Apache-2.0
# Manifest lists: put together in the store, pushed to a registry, or made there.

load common
load registry

needs_no_root=1

setup_file() { registry_with_images other; }

teardown_file() { stop_registries; }

setup() {
	registry_images
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	list=$open/list$BATS_TEST_NUMBER:1
}

list() { stave manifest "$1" --insecure "${@:2}"; }

# NAME: its bytes in the registry
raw() { stave buildx imagetools inspect --raw "$1"; }

@test "create, inspect, push: the bytes are those that Docker makes" {
	is "$(stave manifest create "$list" "$open/img@$oci" "$open/img:docker")" "Created manifest list $list"
	want="{
   \"schemaVersion\": 2,
   \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\",
   \"manifests\": [
      {
         \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",
         \"size\": $docker_size,
         \"digest\": \"$docker\",
         \"platform\": {
            \"architecture\": \"arm\",
            \"os\": \"linux\",
            \"variant\": \"v7\"
         }
      },
      {
         \"mediaType\": \"application/vnd.oci.image.manifest.v1+json\",
         \"size\": $oci_size,
         \"digest\": \"$oci\",
         \"platform\": {
            \"architecture\": \"amd64\",
            \"os\": \"linux\"
         }
      }
   ]
}"
	is "$(stave manifest inspect "$list")" "$want"
	is "$(stave manifest inspect -v "$list" | jq -r '.[].Ref' | xargs)" "$open/img:docker $open/img@$oci"
	run stave manifest push "$list"
	ended 0
	digest=sha256:$(printf %s "$want" | sha256sum | cut -d' ' -f1)
	is "$output" "Pushed ref ${list%:1}@$docker with digest: $docker
Pushed ref ${list%:1}@$oci with digest: $oci
$digest"
	is "$(raw "$list")" "$want"
	# each of them is there, unchanged
	is "$(raw "${list%:1}@$oci" | sha256sum | cut -d' ' -f1)" "${oci#*:}"
	is "$(raw "${list%:1}@$docker" | sha256sum | cut -d' ' -f1)" "${docker#*:}"
	# of its own repository nothing need go there
	stave manifest create "$open/img:list" "$open/img:docker"
	is "$(stave manifest push -p "$open/img:list" | wc -l)" 1
	run stave manifest push "$open/img:list"
	ended 1
	is "$output" "stave: No such manifest: $open/img:list"
	store_is_clean
}

@test "one list, amended and annotated" {
	stave manifest create "$list" "$open/img:docker"
	run stave manifest create "$list" "$open/img@$oci"
	ended 1
	is "$output" "stave: refusing to amend an existing manifest list with no --amend flag"
	stave manifest annotate "$list" "$open/img:docker" --arch arm64 --variant v8 --os-features a,b --os-version 10
	stave manifest annotate "$list" "$open/img:docker" --os linux --os-features b,c
	stave manifest create --amend "$list" "$open/img@$oci" "$open/img:docker"
	is "$(stave manifest inspect "$list" | jq -c '.manifests[].platform')" \
		'{"architecture":"arm64","os":"linux","os.version":"10","os.features":["a","b","c"],"variant":"v8"}
{"architecture":"amd64","os":"linux"}'
	is "$(stave manifest inspect -v "$list" "$open/img:docker" | jq -c .Descriptor.platform.variant)" '"v8"'
	is "$(stave manifest inspect "$list" "$open/img:docker" | jq -c .)" "$(raw "$open/img:docker" | jq -c .)"
	run stave manifest annotate "$list" "$open/img:docker" --os bar --arch foo
	ended 1
	is "$output" "stave: manifest entry for image has unsupported os/arch combination: bar/foo"
	run stave manifest annotate "$list" "$open/img:other" --arch arm
	ended 1
	is "$output" "stave: manifest for image $open/img:other does not exist in $list"
	# which changed nothing
	is "$(stave manifest inspect "$list" | jq -r '.manifests[0].platform.architecture')" arm64
	stave manifest rm "$list"
	run stave manifest rm "$list" "$open/nothing"
	ended 1
	is "$output" "stave: No such manifest: $list
stave: No such manifest: $open/nothing:latest"
}

@test "what cannot be in a list: all or nothing" {
	run stave manifest create "$list" "$open/img:docker" "$open/img:all"
	ended 1
	is "$output" "stave: $open/img:all is a manifest list"
	run stave manifest create "$list" "$open/img:docker" "$open/img:nothing"
	ended 1
	is "$output" "stave: no such manifest: $open/img:nothing"
	run stave manifest rm "$list"
	ended 1
	# without a platform; in another registry
	stave manifest create "$list" "$open/many:v1" "$open/img:docker"
	run stave manifest push "$list"
	ended 1
	is "$output" "stave: manifest $open/many:v1 must have an OS and Architecture to be pushed to a registry"
	stave manifest create "$other/x" "$open/img:docker"
	run stave manifest push "$other/x"
	ended 1
	is "$output" "stave: cannot use source images from a different registry than the target image: $open != $other"
	run stave manifest inspect "$list" "$open/img:all"
	ended 1
	is "$output" "stave: No such manifest: $open/img:all"
}
