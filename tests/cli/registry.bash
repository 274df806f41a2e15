# SPDX-License-Identifier: Apache-2.0
#
# Debian's docker-registry on a port of this machine's own, for the tests of a file.

# Neither files nor variables of who runs the tests say where registries are and what they want.
registry_environment() {
	export DOCKER_CONFIG=$BATS_FILE_TMPDIR/docker HOME=$BATS_FILE_TMPDIR/home
	unset REGISTRY_AUTH_FILE XDG_RUNTIME_DIR http_proxy HTTP_PROXY
}

# [OTHERS…]: for setup_file() of files that look at registries without a store.  One called "open"
# with what put.py makes, whose digests are in $BATS_FILE_TMPDIR/digests, and empty ones.
registry_with_images() {
	local name
	command -v docker-registry >/dev/null || return 0
	registry_environment
	export STAVE_ROOT=$BATS_FILE_TMPDIR/none
	for name in open "$@"; do
		start_registry "$name"
	done
	python3 "$BATS_TEST_DIRNAME/put.py" "$open" "$BATS_FILE_TMPDIR/digests"
}

# For their setup().
registry_images() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
	source "$BATS_FILE_TMPDIR/digests"
}

# NAME [LINES of "http:" and "auth:"]: starts one; its address is in $NAME, its files in $NAME.d;
# with registry_quiet=false each request is a line of $NAME.d/log
start_registry() {
	local name=$1 port dir=$BATS_FILE_TMPDIR/$1.d
	port=$(free_port)
	mkdir -p "$dir/data"
	cat >"$dir/config.yml" <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: ${registry_quiet-true}}}
		storage:
		  filesystem: {rootdirectory: $dir/data}
		  delete: {enabled: true}
		http:
		  addr: 127.0.0.1:$port
		${2-}
	END
	docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- &
	echo $! >"$dir/pid"
	export "$name=localhost:$port"
	for _ in $(seq 100); do
		(: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && return 0
		sleep 0.05
	done
	cat "$dir/log"
	return 1
}

stop_registries() {
	local pid
	for pid in "$BATS_FILE_TMPDIR"/*.d/pid; do
		[ ! -e "$pid" ] || kill "$(cat "$pid")" || true
	done
}

# An authority, and a certificate of it for localhost, in the directory $1.
make_certificates() {
	mkdir -p "$1"
	(
		cd "$1" || exit 1
		openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 \
			-subj /CN=authority
		openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr \
			-subj /CN=localhost
		openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
			-out server.crt -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1)
	) >/dev/null 2>&1
}
