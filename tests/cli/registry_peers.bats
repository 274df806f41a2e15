# SPDX-License-Identifier: Apache-2.0
# One registry, several programs: what one pushes the others pull, digests unchanged, and one
# login serves all of them.
#
#   DOCKER_HOST   of a daemon that sees this machine's loopback, if it has not the default one
#   PEERS         a root file system with podman and skopeo in it, if they are not in PATH

load common
load registry

setup_file() {
	command -v docker-registry >/dev/null || return 0
	private_store
	am_root || return 0
	# the plugins of docker are beside its configuration
	export plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
	registry_environment
	htpasswd -Bbn ann secret >"$BATS_FILE_TMPDIR/htpasswd" 2>/dev/null
	start_registry closed "auth:
  htpasswd: {realm: test, path: $BATS_FILE_TMPDIR/htpasswd}"
	ctx=$BATS_FILE_TMPDIR/ctx
	mkdir -p "$ctx"
	head -c 100000 /dev/urandom >"$ctx/big"
	dockerfile <<-'END'
		FROM busybox
		RUN echo one >/one
		COPY big /big
		CMD ["cat", "/one"]
	END
	stave build -q -t img "$ctx" >/dev/null
}

teardown_file() { stop_registries; }

setup() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
	first=$STAVE_ROOT
	second=$BATS_TEST_TMPDIR/second
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
}

other() { STAVE_ROOT=$second stave "$@"; }
id_of() { stave inspect --format '{{.Id}}' "$1"; }
pushed() { sed -n 's/.*digest: \(sha256:[0-9a-f]*\) .*/\1/p'; }
login() { "${@:-stave}" login -u ann --password-stdin "$closed" <<<secret 2>/dev/null; }

# A directory that the peer sees: $here for us, $there for it.
shared() {
	here=$BATS_TEST_TMPDIR there=$BATS_TEST_TMPDIR
	if ! command -v "$1" >/dev/null; then
		there=/tmp/stave-peer-$$-$BATS_TEST_NUMBER
		here=$PEERS$there
		mkdir -p "$here"
	fi
}

teardown() {
	[ -z "${here-}" ] || [ "$here" = "$BATS_TEST_TMPDIR" ] || rm -rf "$here"
}

@test "docker pulls what we push, and we what it pushes; one login" {
	docker version >/dev/null 2>&1 || skip "docker is not there"
	name=$closed/peers/docker
	is "$(login docker)" "Login Succeeded"
	stave tag img "$name:1"
	digest=$(stave push "$name:1" | pushed)
	docker pull -q "$name:1" >/dev/null
	is "$(docker image inspect -f '{{.Id}}' "$name:1")" "$(id_of img)"
	is "$(docker image inspect -f '{{index .RepoDigests 0}}' "$name:1")" "$name@$digest"
	docker tag "$name:1" "$name:back"
	theirs=$(docker push "$name:back" | pushed)
	docker rmi "$name:1" "$name:back" >/dev/null
	other pull -q "$name:back"
	is "$(other inspect --format '{{.Id}}' "$name:back")" "$(id_of img)"
	is "$(other inspect --format '{{index .RepoDigests 0}}' "$name:back")" "$name@$theirs"
	is "$(other run --rm --network none "$name:back")" one
	# and out again, as it came
	other tag "$name:back" "$name:again"
	is "$(other push "$name:again" | pushed)" "$theirs"
	# logging out with one ends it for the other
	docker logout "$closed" >/dev/null
	run other pull "$name:1"
	ended 1
	is "$(login)" "Login Succeeded"
	docker pull -q "$name:1" >/dev/null
	docker rmi "$name:1" >/dev/null
}

@test "docker manifest inspect and imagetools say what we say" {
	docker version >/dev/null 2>&1 || skip "docker is not there"
	login
	stave tag img "$closed/peers/same:1"
	stave push -q "$closed/peers/same:1"
	for words in "manifest inspect --insecure" "manifest inspect --insecure -v"; do
		cmp <(docker $words "$closed/peers/same:1") <(stave $words "$closed/peers/same:1")
	done
	ln -s "$plugins" "$DOCKER_CONFIG/cli-plugins"
	docker buildx imagetools --help >/dev/null 2>&1 || skip "docker has no buildx"
	for words in "" --raw; do
		cmp <(docker buildx imagetools inspect $words "$closed/peers/same:1") \
			<(stave buildx imagetools inspect $words "$closed/peers/same:1")
	done
}

@test "skopeo copies what we push, and we what it copies; podman's login file" {
	command -v skopeo >/dev/null || skip "skopeo is not there"
	name=$closed/peers/skopeo
	export REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/auth.json
	skopeo login --tls-verify=false -u ann --password-stdin "$closed" <<<secret >/dev/null
	stave tag img "$name:1"
	digest=$(stave push "$name:1" | pushed)
	is "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$name:1")" "$digest"
	skopeo copy -q --all --src-tls-verify=false --dest-tls-verify=false "docker://$name:1" "docker://$name:theirs"
	skopeo copy -q --format v2s2 --src-tls-verify=false --dest-tls-verify=false "docker://$name:1" "docker://$name:v2s2"
	other pull -q "$name:theirs"
	is "$(other inspect --format '{{index .RepoDigests 0}}' "$name:theirs")" "$name@$digest"
	other pull -q "$name:v2s2"
	is "$(other inspect --format '{{.Id}}' "$name:v2s2")" "$(id_of img)"
	skopeo logout "$closed" >/dev/null
	run other pull "$name:1"
	ended 1
	login
	is "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$name:1")" "$digest"
	rm "$REGISTRY_AUTH_FILE"
}

@test "podman pulls what we push, and we what it pushes" {
	peer podman --version >/dev/null 2>&1 || skip "podman is not there"
	name=$closed/peers/podman
	shared podman
	login
	stave tag img "$name:1"
	digest=$(stave push "$name:1" | pushed)
	unset REGISTRY_AUTH_FILE
	pod() { peer podman --root "$there/root" --runroot "$there/run" --storage-driver vfs "$@"; }
	peer podman login --authfile "$there/auth.json" --tls-verify=false -u ann --password-stdin "$closed" <<<secret >/dev/null
	pod pull -q --authfile "$there/auth.json" --tls-verify=false "$name:1" >/dev/null
	is "$(pod image inspect -f '{{.Digest}}' "$name:1")" "$digest"
	pod push -q --authfile "$there/auth.json" --tls-verify=false "$name:1" "$name:back"
	REGISTRY_AUTH_FILE=$here/auth.json other pull -q "$name:back"
	is "$(other inspect --format '{{.Id}}' "$name:back")" "$(id_of img)"
	other run --rm --network none "$name:back"
}
