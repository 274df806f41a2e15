# SPDX-License-Identifier: Apache-2.0
# What needs no root, done by somebody who is not: as root, by "nobody".

load common

needs_no_root=1

setup_file() {
	export NO_ROOT_DIR
	NO_ROOT_DIR=$(mktemp -d /tmp/stave-user-XXXXXX)
	export STAVE_ROOT=$NO_ROOT_DIR/store
	# where nobody may go, and the helpers with it
	cp "$(command -v stave)" "$(dirname "$(readlink -f "$(command -v stave)")")"/stave-* "$NO_ROOT_DIR" 2>/dev/null || true
	mkdir "$NO_ROOT_DIR/tree" "$NO_ROOT_DIR/ctx"
	echo hello >"$NO_ROOT_DIR/tree/hello"
	if am_root; then chown -R nobody "$NO_ROOT_DIR"; fi
	tar -C "$NO_ROOT_DIR/tree" --owner=0 --group=0 -c . | ours import - base >/dev/null
}

teardown_file() { rm -rf "${NO_ROOT_DIR:?}"; }

setup() {
	common_setup
	ctx=$NO_ROOT_DIR/ctx
}

# stave as an ordinary user
ours() {
	local user=()
	if am_root; then user=(setpriv --reuid nobody --regid nogroup --clear-groups); fi
	"${user[@]}" env STAVE_ROOT="$STAVE_ROOT" STAVE_LIBEXEC="$NO_ROOT_DIR" HOME="$NO_ROOT_DIR" \
		"$NO_ROOT_DIR/stave" "$@"
}

@test "version, info, help, an empty list of containers" {
	local words
	for words in version info 'build --help' 'run --help' 'ps -a' 'system check'; do
		# shellcheck disable=SC2086
		run ours $words
		ended 0
	done
}

@test "import, look, name, remove" {
	run ours images --format '{{.Repository}}:{{.Tag}}'
	has "$output" base:latest
	ours tag base other:1
	is "$(ours inspect --format '{{.Id}}' other:1)" "$(ours inspect --format '{{.Id}}' base)"
	run ours history other:1
	ended 0
	ours rmi other:1
	run ours inspect other:1
	ended 1
}

@test "a build that makes no files" {
	printf 'FROM base\nENV A=1\nLABEL b=2\nCMD ["/hello"]\n' >"$ctx/Dockerfile"
	run ours build -q -t config "$ctx"
	ended 0
	is "$(ours inspect --format '{{json .Config.Cmd}}' config)" '["/hello"]'
}

@test "a Dockerfile's errors" {
	printf 'FROM base\nCOPPY a b\n' >"$ctx/Dockerfile"
	run ours build "$ctx"
	ended 1
	has "$output" "Dockerfile:2"
	printf 'FROM base\nCOPY missing /\n' >"$ctx/Dockerfile"
	run ours build "$ctx"
	ended 1
	has "$output" missing
}

@test "the default store is below the home of the user" {
	local user=()
	if am_root; then user=(setpriv --reuid nobody --regid nogroup --clear-groups); fi
	run "${user[@]}" env -i HOME="$NO_ROOT_DIR/home" "$NO_ROOT_DIR/stave" info --format '{{.DockerRootDir}}'
	ended 0
	is "$output" "$NO_ROOT_DIR/home/.local/share/stave"
}

@test "what needs root says so" {
	echo x >"$ctx/file"
	printf 'FROM base\nCOPY file /\n' >"$ctx/Dockerfile"
	run ours build "$ctx"
	ended 1
	has "$output" "need root"
	run ours run --rm --network none base /hello
	ended 125
	has "$output" "needs root"
	run ours system check
	ended 0
}
