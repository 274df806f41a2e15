# SPDX-License-Identifier: Apache-2.0
#
# Files about containers that run in the background: after "load common".

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
}

teardown() {
	am_root || return 0
	# shellcheck disable=SC2046 # names of ours have no blanks
	stave rm -f $(stave ps -aq) >/dev/null 2>&1 || true
}

detach() { stave run -d --network none "$@" >/dev/null; }

state() { stave inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1"; }

is_state() { [ "$(state "$1")" = "$2" ]; }
