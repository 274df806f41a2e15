# SPDX-License-Identifier: Apache-2.0
# Who may: token servers, whose tokens docker-registry verifies; client certificates; proxies.

load common
load registry

needs_no_root=1

setup_file() {
	command -v docker-registry >/dev/null || return 0
	export HOME=$BATS_FILE_TMPDIR STAVE_ROOT=$BATS_FILE_TMPDIR/none
	unset REGISTRY_AUTH_FILE XDG_RUNTIME_DIR http_proxy HTTP_PROXY https_proxy HTTPS_PROXY no_proxy NO_PROXY
	make_certificates "$BATS_FILE_TMPDIR/tls"
	start_registry open
	start_token_server "$BATS_FILE_TMPDIR/port"
	start_registry closed "auth:
  token:
    realm: http://localhost:$(cat "$BATS_FILE_TMPDIR/port")/token
    service: registry
    issuer: issuer
    rootcertbundle: $BATS_FILE_TMPDIR/tls/ca.crt"
	start_token_server "$BATS_FILE_TMPDIR/slow" "$closed"
	python3 "$BATS_TEST_DIRNAME/put.py" "$open" "$BATS_FILE_TMPDIR/digests"
}

# PORT-FILE [REGISTRY]
start_token_server() {
	python3 "$BATS_TEST_DIRNAME/token_server.py" "$1" "$BATS_FILE_TMPDIR/record" \
		"$BATS_FILE_TMPDIR/tls/server.key" "$BATS_FILE_TMPDIR/tls/server.crt" "${@:2}" 3>&- &
	mkdir -p "$1.d"
	echo $! >"$1.d/pid"
	settled test -s "$1"
}

teardown_file() { stop_registries; }

setup() {
	common_setup
	command -v docker-registry >/dev/null || skip "needs docker-registry"
	source "$BATS_FILE_TMPDIR/digests"
	record=$BATS_FILE_TMPDIR/record
	: >"$record"
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
}

login() { stave login -u ann --password-stdin "$1" <<<secret 2>/dev/null; }

digest_of() { stave buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }

basic="Basic $(printf 'ann:secret' | base64)"

@test "a token for what is to be done, for who may" {
	run stave image copy "$open/img:all" "$closed/a/b"
	ended 1
	has "$output" "unauthorized: authentication required"
	run stave login -u ann --password-stdin "$closed" <<<wrong
	ended 1
	has "$output" "incorrect username or password"
	[ ! -e "$DOCKER_CONFIG/config.json" ]
	is "$(login "$closed")" "Login Succeeded"
	: >"$record"
	is "$(stave image copy -q "$open/img:all" "$closed/a/b")" "$all"
	is "$(head -1 "$record")" "GET $basic repository:a/b:pull,push"
	: >"$record"
	is "$(digest_of "$closed/a/b")" "$all"
	is "$(sort -u "$record")" "GET $basic repository:a/b:pull"
	# of another repository there: the right to read that one is asked for, too
	: >"$record"
	run stave image copy "$closed/a/b" "$closed/c"
	ended 0
	is "$(grep -c 'Mounted from a/b' <<<"$output")" 4
	is "$(tail -1 "$record")" "GET $basic repository:c:pull,push repository:a/b:pull"
}

@test "push mounts what another repository has, with the right to read that one" {
	require_root
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	login "$closed"
	base_tree "$BATS_FILE_TMPDIR/base"
	import_base
	stave tag busybox "$closed/first"
	stave tag busybox "$closed/second"
	stave push -q "$closed/first"
	: >"$record"
	run stave push "$closed/second"
	ended 0
	has "$output" "Mounted from first"
	is "$(sort -u "$record")" "GET $basic repository:second:pull,push repository:first:pull"
}

@test "without a login: what is public" {
	login "$closed"
	stave image copy -q "$open/img:docker" "$closed/public/x"
	stave logout "$closed"
	: >"$record"
	is "$(digest_of "$closed/public/x")" "$docker"
	is "$(cat "$record")" "GET - repository:public/x:pull"
	run stave manifest inspect "$closed/a/b"
	ended 1
	has "$output" "pull access denied for a/b, repository does not exist or may require 'stave login'"
}

@test "an identity token goes into a body, to the token server alone" {
	mkdir -p "$DOCKER_CONFIG"
	printf '{"auths": {"%s": {"auth": "%s", "identitytoken": "r3fresh"}}}' "$closed" \
		"$(printf '<token>:' | base64)" >"$DOCKER_CONFIG/config.json"
	is "$(stave image copy -q "$open/img:docker" "$closed/identity")" "$docker"
	is "$(sort -u "$record")" "POST - repository:identity:pull,push"
	sed -i s/r3fresh/0ld/ "$DOCKER_CONFIG/config.json"
	run stave manifest inspect "$closed/identity"
	ended 1
	has "$output" "incorrect username or password"
	hasnt "$output" 0ld
}

@test "a token that ends in the middle; several challenges in one header" {
	login "$closed"
	stave image copy -q "$open/img:all" "$closed/public/long"
	slow=localhost:$(cat "$BATS_FILE_TMPDIR/slow")
	stave logout "$closed"
	: >"$record"
	is "$(timeout 60 stave image copy -q "$slow/public/long" "oci:$BATS_TEST_TMPDIR/long")" "$all"
	# the four blobs come too late, at once, and one of them asks again
	is "$(grep -c 'repository:public/long:pull' "$record")" 2
	hasnt "$(cat "$record")" Basic
}

@test "what a credential helper cannot do" {
	mkdir -p "$DOCKER_CONFIG" "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho it is locked\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/docker-credential-bad"
	chmod +x "$BATS_TEST_TMPDIR/bin/docker-credential-bad"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	echo '{"credsStore": "bad"}' >"$DOCKER_CONFIG/config.json"
	run stave login -u ann --password-stdin "$closed" <<<secret
	ended 1
	is "$output" "stave: Error saving credentials: error storing credentials - err: exit status 1, out: \`it is locked\`"
	echo '{"credsStore": "absent"}' >"$DOCKER_CONFIG/config.json"
	run stave login -u ann --password-stdin "$closed" <<<secret
	ended 1
	has "$output" 'err: exec: "docker-credential-absent": executable file not found in $PATH, out: ``'
	is "$(cat "$DOCKER_CONFIG/config.json")" '{"credsStore": "absent"}'
}

@test "a login file that is a link: what it leads to is written, and nothing stays there" {
	mkdir -p "$BATS_TEST_TMPDIR/real" "$DOCKER_CONFIG"
	echo '{}' >"$BATS_TEST_TMPDIR/real/login.json"
	ln -sf "$BATS_TEST_TMPDIR/real/login.json" "$DOCKER_CONFIG/config.json"
	login "$closed"
	is "$(jq -r '.auths | keys[]' "$BATS_TEST_TMPDIR/real/login.json")" "$closed"
	stave logout "$closed"
	is "$(jq -r '.auths | keys[]' "$BATS_TEST_TMPDIR/real/login.json")" ""
	test -L "$DOCKER_CONFIG/config.json"
}

@test "login: what is asked for, and what is said" {
	said() { run --separate-stderr "$@"; }
	said stave login -u ann --password-stdin "$closed" <<<" secret "
	ended 0
	is "$output" "Login Succeeded"
	is "$stderr" "WARNING! Your credentials are stored unencrypted in '$DOCKER_CONFIG/config.json'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/"
	is "$(cat "$DOCKER_CONFIG/config.json")" "{
	\"auths\": {
		\"$closed\": {
			\"auth\": \"$(printf ann:secret | base64)\"
		}
	}
}"
	# the same again changes nothing, and so there is nothing to warn of
	said stave login -u ann --password-stdin "$closed" <<<secret
	is "$output$stderr" "Login Succeeded"
	said stave login "$closed" </dev/null
	ended 0
	has "$stderr" "Authenticating with existing credentials... [Username: ann]

 Info -> To login with a different account, run 'stave logout' followed by 'stave login'"
	for words in "-p x" "-u ann" ""; do
		sed -i "s/\"auth\": .*/\"auth\": \"$(printf ann:old | base64)\"/" "$DOCKER_CONFIG/config.json"
		said stave login $words "$closed" </dev/null
		ended 1
		has "$stderr" "Cannot perform an interactive login from a non TTY device"
	done
	has "$stderr" "Login did not succeed, error: "
	said stave login --password-stdin "$closed" <<<x
	is "$stderr" "stave: the --password-stdin option requires --username to be set"
	said stave login -u a -p b --password-stdin "$closed" <<<x
	is "$stderr" "stave: conflicting options: cannot specify both --password and --password-stdin"
	said stave login -u "" "$closed"
	is "$stderr" "stave: username is empty"
	said stave login -u a -p "" "$closed"
	is "$stderr" "stave: password is empty"
	said stave logout "https://$closed/v2/"
	is "$output" "Removing login credentials for $closed"
	is "$(cat "$DOCKER_CONFIG/config.json")" "{
	\"auths\": {}
}"
}

@test "client certificates" {
	mkdir -p "$BATS_TEST_TMPDIR/certs.d"
	tls=$BATS_FILE_TMPDIR/tls
	start_registry mutual "  tls: {certificate: $tls/server.crt, key: $tls/server.key, clientcas: [$tls/ca.crt]}"
	export DOCKER_CERTS_DIR=$BATS_TEST_TMPDIR
	mkdir "$BATS_TEST_TMPDIR/certs.d/$mutual"
	cp "$tls/ca.crt" "$BATS_TEST_TMPDIR/certs.d/$mutual"
	run stave image copy "$open/img:docker" "$mutual/x"
	ended 1
	has "$output" "https://$mutual/" # and then how the server hung up
	cp "$tls/server.crt" "$BATS_TEST_TMPDIR/certs.d/$mutual/client.cert"
	cp "$tls/server.key" "$BATS_TEST_TMPDIR/certs.d/$mutual/client.key"
	is "$(stave image copy -q "$open/img:docker" "$mutual/x")" "$docker"
	is "$(digest_of "$mutual/x")" "$docker"
}

@test "a proxy, but not for this machine and for what needs none" {
	export CONTAINERS_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf
	printf '[[registry]]\nlocation = "registry.example"\ninsecure = true\n' >"$CONTAINERS_REGISTRIES_CONF"
	# to docker-registry a proxy's request is one like any other
	export HTTP_PROXY=http://$open
	is "$(digest_of registry.example/img:all)" "$all"
	run env NO_PROXY=.example stave manifest inspect registry.example/img:all
	ended 1
	has "$output" "registry.example"
	export HTTP_PROXY=http://localhost:1
	is "$(digest_of "$open/img:all")" "$all"
}
