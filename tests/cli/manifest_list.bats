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

# ---- imagetools create: without a store ----

create() { stave buildx imagetools create "$@"; }

# In buildx's order and form.
index() {
	cat <<-END
	{
	  "schemaVersion": 2,
	  "mediaType": "application/vnd.oci.image.index.v1+json",
	  "manifests": [
	    {
	      "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
	      "digest": "$docker",
	      "size": $docker_size,
	      "platform": {
	        "architecture": "arm",
	        "os": "linux",
	        "variant": "v7"
	      }
	    },
	    {
	      "mediaType": "application/vnd.oci.image.manifest.v1+json",
	      "digest": "$oci",
	      "size": $oci_size,
	      "platform": {
	        "architecture": "amd64",
	        "os": "linux"
	      }
	    }
	  ]
	}
	END
}

@test "imagetools create: an index of two images, in this registry and another one" {
	is "$(create --dry-run "$open/img:docker" "$open/img@$oci")" "$(index)"
	for to in "$list" "$other/made:2"; do
		run create -t "$to" "$open/img:docker" "$open/img@$oci"
		ended 0
		digest=sha256:$(printf %s "$(index)" | sha256sum | cut -d' ' -f1)
		is "$(sed -E 's/^(#1) [0-9.]+ /\1 /; s/ [0-9.]+s$//' <<<"$output")" "#1 [internal] pushing $to
#1 copying $docker from $open/img:docker to $to
#1 copying $oci from $open/img@$oci to $to
#1 pushing $digest to $to
#1 DONE"
		is "$(raw "$to")" "$(index)"
		# with all that it names
		stave image copy -q "$to" "oci:$BATS_TEST_TMPDIR/${to//[:\/]/-}"
	done
	[ ! -e "$STAVE_ROOT" ]
}

@test "imagetools create: one source is copied, or wrapped; platforms; --append" {
	create --progress=none -t "$list" "$open/img:all"
	is "$(raw "$list" | sha256sum | cut -d' ' -f1)" "${all#*:}"
	is "$(create --dry-run --prefer-index=false "$open/img:docker" | head -c -1 | sha256sum | cut -d' ' -f1)" "${docker#*:}"
	is "$(create --dry-run "$open/img:docker" | jq -r '.mediaType, .manifests[].digest' | xargs)" \
		"application/vnd.docker.distribution.manifest.list.v2+json $docker"
	is "$(create --dry-run -p linux/amd64 "$open/img:all" | jq -c '.manifests[] | [.digest, .annotations.note]')" \
		"[\"$oci\",\"first\"]"
	create --progress=none -t "$open/grows" "$open/img@$oci"
	create --progress=none --append -t "$open/grows" "$open/img:docker"
	is "$(raw "$open/grows" | jq -r '.manifests[].digest' | xargs)" "$oci $docker"
	# a digest and a descriptor, in the only repository that is named
	is "$(create --dry-run -t "$open/img:x" "$oci" | jq -r '.manifests[].platform.architecture')" amd64
	echo "{\"digest\":\"$oci\",\"annotations\":{\"k\":\"<v>\"},\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}}" >"$BATS_TEST_TMPDIR/d"
	has "$(create --dry-run -f "$BATS_TEST_TMPDIR/d" -t "$open/img:x")" '"k": "\u003cv\u003e"'
	is "$(create --dry-run "$(cat "$BATS_TEST_TMPDIR/d")" "$open/img:docker" | jq -r '.manifests[].platform.architecture' | xargs)" "s390x arm"
	has "$(create --dry-run --annotation index:b=2 --annotation index:a=1 --annotation "manifest-descriptor[linux/amd64]:c=3" \
		"$open/img:docker" "$open/img@$oci" | jq -c '[.manifests[1].annotations, .manifests[0].annotations, .annotations]')" \
		'[{"c":"3"},null,{"a":"1","b":"2"}]'
}

@test "imagetools create: what it refuses" {
	refuses() {
		run create "${@:2}"
		ended 1
		is "${lines[0]}" "stave: $1"
	}
	refuses "no sources specified" --dry-run
	refuses "can't push with no tags specified, please set --tag or --dry-run" "$open/img:docker"
	refuses "$open/img:nothing: not found" -t "$list" "$open/img:nothing"
	refuses "$open/nothing:1: not found" --append -t "$open/nothing:1" "$open/img:docker"
	refuses "none of the manifests match the provided platforms" --dry-run -p linux/riscv64 "$open/img:all"
	refuses "no repositories specified, please set a reference in tag or source" --dry-run "$oci"
	refuses "multiple repositories specified, cannot determine repository for \"$oci\"" --dry-run -t "$open/x" "$open/img:docker" "$oci"
	refuses '"" annotations are not supported yet' --dry-run --annotation a=b "$open/img@$oci"
	refuses '"index-descriptor" annotations are invalid while creating an image' --dry-run --annotation index-descriptor:a=b "$open/img@$oci"
	refuses 'failed to parse annotations: invalid annotation "nope", expected key=value' --dry-run --annotation nope "$open/img@$oci"
	refuses 'failed to parse source "sha256:12", valid sources are digests, references and descriptors: invalid checksum digest length' --dry-run sha256:12
	refuses "invalid progress mode bad" --progress=bad -t "$list" "$open/img:docker"
	refuses "open nofile: no such file or directory" -f nofile -t "$list"
}
