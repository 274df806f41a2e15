# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment, a disk that is full.

load common

setup_file() {
	private_store
}

setup() {
	common_setup
	watch_machine
}

@test "kill -9 at 20 random moments of a build" {
	run "$source_root/tests/fault/kill_build.sh" 20
	ended 0
	has "$output" " 0 bad"
	nothing_left
}

@test "kill -9 of an import" {
	local i
	tar -C "$BATS_FILE_TMPDIR/base" -cf "$ctx/b.tar" .
	for i in 1 2 3 4 5 6 7 8; do
		stave import "$ctx/b.tar" "killed$i" >/dev/null 2>&1 &
		sleep "0.0$i"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		store_is_clean
	done
}

@test "a full disk: a clear error, the store as before, and then it works" {
	mkdir "$BATS_TEST_TMPDIR/disk"
	mount -t tmpfs -o size=8m none "$BATS_TEST_TMPDIR/disk"
	(
		export STAVE_ROOT=$BATS_TEST_TMPDIR/disk/store
		import_base
		head -c 16000000 /dev/urandom >"$ctx/big"
		printf 'FROM busybox\nRUN echo kept > /kept\nCOPY big /big\n' >"$ctx/Dockerfile"
		run stave build -t t "$ctx"
		ended 1
		has "$output" "no space left on device"
		store_is_clean
		stave rmi busybox || true
		import_base
		run stave build -t t "$ctx"
		ended 1
		mount -o remount,size=64m "$BATS_TEST_TMPDIR/disk"
		stave build -q -t t "$ctx"
		is "$(in_t sh -c 'wc -c < /big')" 16000000
		store_is_clean
	)
	local code=$?
	umount "$BATS_TEST_TMPDIR/disk"
	return $code
}
