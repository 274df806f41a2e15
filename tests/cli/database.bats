# SPDX-License-Identifier: Apache-2.0
#
# A real database in a container: PostgreSQL as Debian builds it, with a named
# volume, a published port and a health check; psql and pgbench on the host.

load common
load guest

setup_file() {
	private_store
	am_root || return 0
	server_directory || return 0
	make_image
}

# Where Debian has the newest server that is installed: /usr/lib/postgresql/15.
server_directory() {
	server=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
	server=${server%/bin/postgres}
	[ -x "$server/bin/postgres" ]
}

# "postgres": the files of Debian's packages on busybox, and a first command as
# the official image has it: it makes a cluster where there is none.
make_image() {
	local tree=$BATS_FILE_TMPDIR/tree program
	mkdir -p "$tree$server/bin" "$tree/usr/share/postgresql" "$tree/usr/lib/locale"
	for program in postgres initdb pg_isready psql; do
		add_programs "$tree" "$server/bin/$program"
	done
	cp -r "$server/lib" "$tree$server/"
	cp -rL "/usr/share/postgresql/${server##*/}" "$tree/usr/share/postgresql/"
	rm -rf "$tree$server/lib/bitcode" "$tree$server/lib/"llvmjit*
	[ ! -d /usr/lib/locale/C.utf8 ] || cp -r /usr/lib/locale/C.utf8 "$tree/usr/lib/locale/"
	[ ! -d /usr/share/zoneinfo ] || cp -r /usr/share/zoneinfo "$tree/usr/share/"
	cat >"$tree/entrypoint" <<-'E'
	#!/bin/sh
	set -e
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		echo "making a cluster"
		initdb --no-sync -U postgres --auth-local=trust --auth-host=scram-sha-256 \
			--pwfile=/dev/stdin --locale=C.UTF-8 -E UTF8 >/tmp/initdb.log <<-P
			$POSTGRES_PASSWORD
			P
		echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
	fi
	exec "$@"
	E
	chmod 755 "$tree/entrypoint"
	cat >"$BATS_FILE_TMPDIR/Dockerfile" <<-E
	FROM busybox
	COPY . /
	RUN echo "postgres:x:70:70::/var/lib/postgresql:/bin/sh" >>/etc/passwd && \
	    echo "postgres:x:70:" >>/etc/group && mkdir -p /var/lib/postgresql/data /var/run/postgresql && \
	    chown -R postgres:postgres /var/lib/postgresql /var/run/postgresql && \
	    chmod 700 /var/lib/postgresql/data
	ENV PGDATA=/var/lib/postgresql/data PATH=$server/bin:/bin
	VOLUME /var/lib/postgresql/data
	USER postgres
	EXPOSE 5432
	STOPSIGNAL SIGINT
	HEALTHCHECK --interval=200ms --timeout=5s --retries=3 CMD pg_isready -q -h 127.0.0.1
	ENTRYPOINT ["/entrypoint"]
	CMD ["postgres", "-c", "listen_addresses=*", "-c", "unix_socket_directories=/var/run/postgresql"]
	E
	stave build -q -t postgres -f "$BATS_FILE_TMPDIR/Dockerfile" "$tree" >/dev/null
}

setup() {
	common_setup
	server_directory || skip "postgresql is not installed"
	command -v nft >/dev/null || skip "nft is missing"
	export PGPASSWORD=s3cret PGUSER=postgres PGHOST=127.0.0.1 PGCONNECT_TIMEOUT=5
	watch_machine
}

teardown() {
	am_root || return 0
	stave rm -f db >/dev/null 2>&1 || true
	stave volume rm pgdata >/dev/null 2>&1 || true
}

start_database() {
	stave run -d --name db -e POSTGRES_PASSWORD=s3cret -v pgdata:/var/lib/postgresql/data \
		-p 127.0.0.1:0:5432 "$@" postgres >/dev/null
	find_port
}

# A port that the system chose may be another one after a start.
find_port() { PGPORT=$(stave port db 5432 | sed 's/.*://') && export PGPORT; }

is_health() { [ "$(stave inspect --format '{{.State.Health.Status}}' db)" = "$1" ]; }

healthy() {
	local i
	for i in $(seq 300); do
		is_health healthy && return 0
		sleep 0.1
	done
	stave logs db
	stave inspect --format '{{json .State.Health}}' db
	return 1
}

ask() { "$server/bin/psql" -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

bench() { "$server/bin/pgbench" "$@"; }

monitor_of() { jq -r .monitor "$STAVE_ROOT"/containers/"$(stave inspect --format '{{.Id}}' "$1")"/state.json; }

# pgbench's own rule: what was paid is in the accounts, the tellers and the branches.
adds_up() {
	ask "select (select sum(delta) from pgbench_history) = all (array[
		(select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
		(select sum(bbalance) from pgbench_branches)])"
}

# Runs pgbench, and $1 when it has paid for a moment; then what it was told was
# paid is in the database after a start.
killed_while_paying() {
	local told found pid
	bench -n -c 4 -T 60 -P 1 --log --log-prefix="$ctx/paid" >"$ctx/bench" 2>&1 3>&- &
	pid=$!
	settled eval '[ "$(ask "select count(*) > 50 from pgbench_history")" = t ]'
	"$1"
	wait $pid || true
	settled eval '[ "$(stave inspect --format "{{.State.Status}}" db)" = exited ]'
	told=$(cat "$ctx"/paid.* | wc -l)
	rm "$ctx"/paid.*
	[ "$told" -ge 40 ]
	stave start db >/dev/null
	find_port
	healthy
	found=$(ask "select count(*) from pgbench_history")
	[ "$found" -ge "$told" ] || {
		echo "pgbench was told of $told, the database has $found"
		return 1
	}
	is "$(adds_up)" t
}

@test "a database: psql, pgbench, health; its data outlive the container" {
	start_database
	is_health starting || is_health healthy
	healthy
	has "$(stave ps)" "(healthy)"
	has "$(stave ps)" "127.0.0.1:$PGPORT->5432/tcp"
	is "$(ask 'select 6 * 7')" 42
	PGPASSWORD=wrong run ask 'select 1'
	ended 2
	has "$output" "password authentication failed"
	bench -i -q -s 1 >/dev/null 2>&1
	run bench -n -c 4 -t 25
	ended 0
	has "$output" "number of transactions actually processed: 100/100"
	is "$(adds_up)" t
	# its files belong to its user, in the volume, and not in the container
	is "$(stat -c %u "$(stave volume inspect --format '{{.Mountpoint}}' pgdata)/PG_VERSION")" 70
	is "$(stave diff db | grep -c postgresql/data)" 0
	is "$(stave exec db psql -At -c 'select count(*) from pgbench_history')" 100
	# the stop signal of the image ends it in order
	stave stop db
	is "$(stave inspect --format '{{.State.ExitCode}}' db)" 0
	has "$(stave logs db 2>&1)" "database system is shut down"
	stave rm db
	start_database
	healthy
	is "$(ask 'select count(*) from pgbench_history')" 100
	hasnt "$(stave logs db 2>&1)" "making a cluster"
	stave rm -f db
	nothing_left
}

kill_first() { kill -9 "$(stave inspect --format '{{.State.Pid}}' db)"; }
kill_monitor() { kill -9 "$(monitor_of db)"; }
kill_by_command() { stave kill db; }

@test "a database: kill -9 of its container and of its monitor lose nothing that was paid" {
	local how
	start_database
	healthy
	bench -i -q -s 1 >/dev/null 2>&1
	for how in kill_first kill_monitor kill_by_command; do
		ask 'truncate pgbench_history; update pgbench_accounts set abalance = 0 where abalance <> 0;
			update pgbench_tellers set tbalance = 0; update pgbench_branches set bbalance = 0'
		killed_while_paying "$how"
		has "$(stave logs --tail 40 db 2>&1)" "automatic recovery in progress"
	done
	stave rm -f db
	nothing_left
}
