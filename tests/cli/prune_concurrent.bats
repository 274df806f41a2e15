# SPDX-License-Identifier: Apache-2.0
# Removal while others are at work, and removal that is killed.

load common

setup_file() {
	private_store
}

@test "what a running build has and needs stays; the rest goes in the meantime" {
	printf 'FROM busybox\nRUN head -c 4000000 /dev/urandom > /junk\n' | stave build -q -t junk - >/dev/null
	stave rmi junk
	printf 'FROM busybox\nRUN echo before > /before\n' >"$ctx/Dockerfile"
	build
	stave rmi t
	# one step from the cache, one that is new, and one that waits in the middle
	cat >>"$ctx/Dockerfile" <<-END
	RUN echo $BATS_TEST_NUMBER > /own
	RUN sleep 4
	RUN cat /before /own > /both
	END
	stave build -q -t t "$ctx" >/dev/null &
	local pid=$!
	settled sh -c '[ -n "$(stave builder du --format x --filter inuse=true)" ]'
	sleep 0.5
	local before after
	before=$(du -s --block-size=1 "$STAVE_ROOT/layers" | cut -f1)
	run stave builder prune -af
	ended 0
	has "$output" "Total:	4."
	hasnt "$output" "other commands are at work"
	run stave image prune -af
	has "$output" busybox
	after=$(du -s --block-size=1 "$STAVE_ROOT/layers" | cut -f1)
	[ $((before - after)) -gt 4000000 ]
	wait $pid
	is "$(in_t cat /both)" "$(printf 'before\n%s' "$BATS_TEST_NUMBER")"
	import_base
	store_is_clean
}

@test "a container that runs keeps its image, and nobody from cleaning up" {
	printf 'FROM busybox\nRUN head -c 3000000 /dev/urandom > /junk\n' | stave build -q -t junk - >/dev/null
	printf 'FROM busybox\nRUN echo mine > /mine\n' | stave build -q -t runs - >/dev/null
	stave run --rm --name longone --network none runs sh -c "sleep 3; cat /mine" >"$BATS_TEST_TMPDIR/out" &
	settled sh -c '[ -n "$(stave ps -q)" ]'
	sleep 0.2
	run stave system prune -af
	ended 0
	hasnt "$output" "at work"
	has "$output" "untagged: junk:latest"
	has "$output" "Total reclaimed space: 3"
	is "$(stave images --format '{{.Repository}}')" runs
	wait
	is "$(cat "$BATS_TEST_TMPDIR/out")" mine
	import_base
	store_is_clean
}

@test "builds and prunes at the same time: every build is right" {
	local i n=0 pids=()
	mkdir "$ctx/src"
	for i in $(seq 40); do head -c 20000 /dev/urandom >"$ctx/src/f$i"; done
	dockerfile <<-'END'
	FROM busybox AS a
	ARG X
	RUN echo "$X" > /x
	COPY src /src
	FROM busybox
	COPY --from=a /src/f1 /f1
	RUN --mount=type=cache,target=/c cat /c/n 2>/dev/null; echo 1 > /c/n; echo same > /same
	COPY --from=a /x /x
	RUN cat /x > /y
	END
	stave tag busybox keep
	stave run --name holds --network none busybox true
	for i in 1 2; do
		(
			for k in 1 2 3 4 5 6 7 8; do
				stave build -q -t "b$i" --build-arg "X=$i-$((k / 2))" "$ctx" >/dev/null || exit 1
				[ "$(stave run --rm --network none "b$i" cat /y)" = "$i-$((k / 2))" ] || exit 1
				stave rmi "b$i" >/dev/null || exit 1
			done
		) &
		pids+=($!)
	done
	while kill -0 "${pids[0]}" 2>/dev/null || kill -0 "${pids[1]}" 2>/dev/null; do
		stave builder prune -af >/dev/null
		stave builder prune -f --max-used-space 500k >/dev/null
		stave image prune -f >/dev/null
		n=$((n + 1))
	done
	wait "${pids[0]}"
	wait "${pids[1]}"
	[ "$n" -gt 3 ]
	stave rm holds
	store_is_clean
}

@test "kill -9 of a prune: the store is whole, and the next one finishes it" {
	local i total
	stave image prune -af >/dev/null
	import_base
	for i in $(seq 12); do
		printf 'FROM busybox\nRUN for i in $(seq 300); do echo %s > /f$i; done\n' "$i" |
			stave build -q -t "k$i" - >/dev/null
	done
	stave rmi $(seq -f k%.0f 12) >/dev/null
	for i in 0 1 2 3 5 8 13 21; do
		stave builder prune -af >/dev/null 2>&1 &
		sleep "0.0$(printf '%02d' "$i")"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		store_is_clean
		printf 'FROM busybox\nRUN for i in $(seq 300); do echo %s > /f$i; done\n' "x$i" |
			stave build -q - >/dev/null
		stave image prune -f >/dev/null
	done
	stave builder prune -af >/dev/null
	stave image prune -f >/dev/null
	total=$(find "$STAVE_ROOT/layers" -mindepth 1 -maxdepth 1 | wc -l)
	is "$total" 1
	store_is_clean
}

@test "two prunes at once do not wait for each other" {
	printf 'FROM busybox\nRUN head -c 3000000 /dev/urandom > /junk\n' | stave build -q - >/dev/null
	local i
	for i in 1 2 3 4; do
		timeout 20 stave system prune -f >/dev/null &
	done
	wait
	store_is_clean
}
