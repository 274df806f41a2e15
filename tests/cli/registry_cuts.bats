# SPDX-License-Identifier: Apache-2.0
# Connections that break: what has come or gone does not move again.

load common
load registry

setup_file() {
	command -v docker-registry >/dev/null || return 0
	private_store
	am_root || return 0
	registry_environment
	start_registry open
}

teardown_file() { stop_registries; }

setup() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
}

@test "200 pulls and pushes that are cut all come through, and what has arrived stays" {
	head -c 1200000 /dev/urandom >"$ctx/noise"
	head -c 700000 /dev/urandom >"$ctx/more"
	printf 'FROM scratch\nCOPY noise /\nCOPY more /\n' >"$ctx/Dockerfile"
	stave build -q -t cuts "$ctx"
	head -c 9000000 /dev/urandom >"$ctx/large"
	printf 'FROM scratch\nCOPY large /\n' >"$ctx/Dockerfile"
	stave build -q -t cuts-large "$ctx"
	# the seed is told, and can be given again
	run timeout 300 python3 "$BATS_TEST_DIRNAME/cuts.py" "$(command -v stave)" "${open#*:}" cuts 200 \
		"${CUTS_SEED:-$RANDOM}" "$BATS_TEST_TMPDIR"
	echo "$output" >&3
	ended 0
}
