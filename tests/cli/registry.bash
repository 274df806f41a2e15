# SPDX-License-Identifier: Apache-2.0
#
# Debian's docker-registry on a port of this machine's own, for the tests of a file.

# A port that nobody has now.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
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
