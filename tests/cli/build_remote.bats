# SPDX-License-Identifier: Apache-2.0
# Files that lie elsewhere: downloads and git repositories, from servers that
# these tests start.

load common

setup_file() {
	private_store
	export www=$BATS_FILE_TMPDIR/www
	mkdir -p "$www"
	start_httpd
	export GIT_CONFIG_GLOBAL=$BATS_FILE_TMPDIR/gitconfig GIT_CONFIG_NOSYSTEM=1
	cat >"$GIT_CONFIG_GLOBAL" <<-'END'
	[user]
		name = Me
		email = me@example.org
	[protocol "file"]
		allow = always
	[init]
		defaultBranch = main
	END
	export GIT_AUTHOR_DATE=2021-01-01T00:00:00Z GIT_COMMITTER_DATE=2021-01-01T00:00:00Z
	if command -v git >/dev/null; then make_repositories; fi
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/httpd.pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/httpd.pid")"
	[ ! -e "$BATS_FILE_TMPDIR/daemon.pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/daemon.pid")"
}

# The first free port from a random one on; $1: a command that takes it.
serve() { # NAME, PORT-VARIABLE, COMMAND…
	local name=$1 variable=$2 i port
	shift 2
	for i in $(seq 50); do
		port=$((20000 + RANDOM % 20000))
		(exec "${@//PORT/$port}" >"$BATS_FILE_TMPDIR/$name.log" 2>&1 3>&-) &
		echo $! >"$BATS_FILE_TMPDIR/$name.pid"
		for i in $(seq 40); do
			kill -0 "$(cat "$BATS_FILE_TMPDIR/$name.pid")" 2>/dev/null || break
			if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
				export "$variable=$port"
				return 0
			fi
			sleep 0.05
		done
	done
	return 1
}

start_httpd() {
	serve httpd http_port busybox httpd -f -vv -p 127.0.0.1:PORT -h "$www"
	export url=http://127.0.0.1:$http_port
}

# How often the server gave this status for this path.
served() { grep -A1 "url:$1\$" "$BATS_FILE_TMPDIR/httpd.log" | grep -c "response:$2" || true; }

# ---- ADD of a URL ----

@test "ADD URL: name from the path, mode 0600, root's, as old as the server says" {
	echo hello >"$www/f.txt"
	touch -d @1500000000 "$www/f.txt"
	dockerfile <<-END
	FROM busybox
	ARG base=$url
	ADD \${base}/f.txt /x/
	ADD $url/f.txt /name
	ADD --chmod=755 --chown=5:6 $url/f.txt $url/f.txt?other Dockerfile /y/
	END
	build
	is "$(in_t sh -c 'stat -c "%n %a %u:%g %Y" /x/f.txt /name /y/f.txt; cat /x/f.txt; ls /y')" \
		$'/x/f.txt 600 0:0 1500000000\n/name 600 0:0 1500000000\n/y/f.txt 755 5:6 1500000000\nhello\nDockerfile\nf.txt'
}

@test "ADD URL needs no context, and asks the server only whether it changed" {
	echo one >"$www/kept"
	printf 'FROM busybox\nADD %s/kept /kept\n' "$url" >"$BATS_TEST_TMPDIR/df"
	stave build -q -t t - <"$BATS_TEST_TMPDIR/df"
	is "$(served /kept 200)" 1
	run stave build --progress=plain -t t - <"$BATS_TEST_TMPDIR/df"
	ended 0
	has "$output" "CACHED"
	is "$(served /kept 200)" 1
	is "$(served /kept 304)" 1
	echo other >"$www/kept"
	touch -d @1600000000 "$www/kept"
	stave build -q -t t - <"$BATS_TEST_TMPDIR/df"
	is "$(in_t cat /kept)" other
	# a copy that was damaged is not believed: the server is asked for all of it
	local body
	body=$STAVE_ROOT/cache/http/body-$(sha256sum <"$www/kept" | cut -d' ' -f1)
	echo wrong >"$body"
	stave build -q --no-cache -t t - <"$BATS_TEST_TMPDIR/df"
	is "$(in_t cat /kept)" other
	is "$(served /kept 200)" 3
}

@test "ADD --checksum: a match needs no server the second time, a mismatch names both" {
	echo sum >"$www/sum"
	local sum bad
	sum=sha256:$(sha256sum <"$www/sum" | cut -d' ' -f1)
	bad=sha256:$(sha256sum </dev/null | cut -d' ' -f1)
	printf 'FROM busybox\nARG s=%s\nADD --checksum=$s %s/sum /sum\n' "$sum" "$url" >"$ctx/Dockerfile"
	build
	rm "$www/sum"
	build --no-cache
	is "$(in_t cat /sum)" sum
	echo sum >"$www/sum"
	run stave build -q --build-arg "s=$bad" "$ctx"
	ended 1
	has "$output" "digest mismatch for $url/sum: $sum (expected: $bad)"
	has "$output" "Dockerfile:3"
}

@test "ADD URL: archives are unpacked only with --unpack" {
	mkdir -p "$BATS_TEST_TMPDIR/a/b"
	echo in >"$BATS_TEST_TMPDIR/a/b/f"
	tar -C "$BATS_TEST_TMPDIR/a" -czf "$www/p.tgz" b
	printf 'FROM busybox\nADD %s/p.tgz /x/\nADD --unpack=true %s/p.tgz /y/\n' "$url" "$url" \
		>"$ctx/Dockerfile"
	build
	is "$(in_t sh -c 'ls /x; cat /y/b/f')" $'p.tgz\nin'
}

@test "ADD URL: what cannot be fetched or asked for is named" {
	local line said
	while IFS='|' read -r line said; do
		printf 'FROM busybox\n%s\n' "$line" >"$ctx/Dockerfile"
		run stave build -q "$ctx"
		ended 1
		has "$output" "$said"
	done <<-END
	ADD $url/missing /x|$url/missing: invalid response status 404
	ADD http://127.0.0.1:1/x /x|http://127.0.0.1:1/x: Failed to connect
	COPY $url/f.txt /x|source can't be a URL for COPY
	ADD --checksum=md5:1 $url/f.txt /x|invalid checksum "md5:1"
	ADD --checksum=sha256:0 $url/f.txt $url/g.txt /x/|checksum can't be specified for multiple sources
	ADD --checksum=sha256:0 Dockerfile /x/|checksum requires HTTP(S) or Git sources
	END
	nothing_left
}

@test "a password in the URL of an ADD is not shown, nor kept by it" {
	local secret=s3cr3t$RANDOM host=me:PASSWORD@127.0.0.1:$http_port
	host=${host/PASSWORD/$secret}
	echo x >"$www/with"
	printf 'FROM busybox\nARG host\nADD http://$host/with /x\n' >"$ctx/Dockerfile"
	run stave build --progress=plain --build-arg "host=$host" -t t "$ctx"
	ended 0
	hasnt "$output" "$secret"
	is "$(in_t cat /x)" x
	# the row of ARG has its value, as in Docker; that of ADD does not repeat it
	is "$(stave history --no-trunc --format '{{.CreatedBy}}' t | grep ADD)" \
		"ADD http://xxxxx:xxxxx@127.0.0.1:$http_port/with /x # buildkit"
	is "$(grep -l "$secret" -r "$STAVE_ROOT" | grep -vc /blobs/)" 0
	printf 'FROM busybox\nADD http://$host/nothing /x\n' >"$ctx/Dockerfile"
	sed -i 's/^ADD/ARG host\nADD/' "$ctx/Dockerfile"
	run stave build --progress=plain --build-arg "host=$host" "$ctx"
	ended 1
	has "$output" "http://xxxxx:xxxxx@127.0.0.1:$http_port/nothing: invalid response status 404"
	hasnt "$output" "$secret"
}

# ---- git ----

make_repositories() {
	local g=$BATS_FILE_TMPDIR/g
	mkdir -p "$g"
	(
		set -e
		cd "$g"
		git init -q sub.git
		echo sub >sub.git/s
		git -C sub.git add .
		git -C sub.git commit -qm sub
		git init -q repo.git
		cd repo.git
		mkdir -p d/e
		echo 1 >d/e/f
		echo main >a
		chmod 755 a
		ln -s /etc out
		ln -s d/e in
		printf 'FROM busybox\nCOPY . /x/\n' >Dockerfile
		printf 'FROM busybox\nCOPY f /y/\n' >d/e/Other
		echo 'out' >.dockerignore
		git add .
		git submodule --quiet add ../sub.git m
		git commit -qm one
		git tag -a v1 -m tag
		git checkout -q -b feature
		echo feature >a
		git commit -qam two
		git checkout -q main
	)
	git clone -q --bare "$g/repo.git" "$www/r.git"
	git clone -q --bare "$g/sub.git" "$www/sub.git"
	git -C "$www/r.git" update-server-info
	git -C "$www/sub.git" update-server-info
	export repo=file://$g/repo.git repo_dir=$g/repo.git
}

needs_git() { command -v git >/dev/null || skip "needs git"; }

@test "ADD git: a branch, an annotated tag, a commit, the default branch; submodules come along" {
	needs_git
	local first
	first=$(git -C "$repo_dir" rev-parse v1^{})
	dockerfile <<-END
	FROM busybox
	ADD $repo /x/
	ADD $repo#feature /feature/
	ADD $repo#v1 /v1/
	ADD $repo#$first /commit/
	ADD $repo?branch=feature&subdir=d/e /sub
	END
	build
	is "$(in_t cat /x/a /x/m/s /feature/a /v1/a /commit/a /sub/f | tr '\n' ' ')" \
		"main sub feature main main 1 "
	# nothing of git, and times that depend on the commit alone
	is "$(in_t find / -xdev -name .git)" ""
	is "$(in_t stat -c '%a %u:%g %Y' /x/a /x/d/e/f)" \
		$'755 0:0 1609459200\n644 0:0 1609459200'
	is "$(in_t readlink /x/out)" /etc
	local first_id
	first_id=$(stave inspect --format '{{.Id}}' t)
	build
	is "$(stave inspect --format '{{.Id}}' t)" "$first_id"
}

@test "ADD git: --keep-git-dir, --checksum, submodules=false" {
	needs_git
	local first
	first=$(git -C "$repo_dir" rev-parse main)
	dockerfile <<-END
	FROM busybox
	ADD --keep-git-dir=true --checksum=$first $repo#main /x/
	ADD $repo?submodules=false&commit=${first:0:10} /y/
	END
	build
	is "$(in_t cat /x/.git/HEAD)" "$first"
	is "$(in_t ls -A /y/m)" ""
	printf 'FROM busybox\nADD --checksum=%s %s#feature /x/\n' "$first" "$repo" >"$ctx/Dockerfile"
	run stave build -q "$ctx"
	ended 1
	has "$output" "expected checksum to match $first, got $(git -C "$repo_dir" rev-parse feature)"
}

@test "ADD git over http: what a plain file server has" {
	needs_git
	printf 'FROM busybox\nADD %s/r.git#main /x/\n' "$url" >"$ctx/Dockerfile"
	build
	is "$(in_t cat /x/a /x/m/s | tr '\n' ' ')" "main sub "
}

@test "ADD git over git://: from git's own daemon, one commit deep" {
	needs_git
	git --exec-path | grep -q . && [ -x "$(git --exec-path)/git-daemon" ] || skip "needs git-daemon"
	serve daemon git_port git daemon --export-all --base-path="$BATS_FILE_TMPDIR/g" \
		--listen=127.0.0.1 --port=PORT
	printf 'FROM busybox\nADD --keep-git-dir=true git://127.0.0.1:%s/repo.git#feature /x/\n' \
		"$git_port" >"$ctx/Dockerfile"
	build
	is "$(in_t cat /x/a /x/m/s | tr '\n' ' ')" "feature sub "
	is "$(in_t sh -c 'wc -l </x/.git/shallow')" 1
}

@test "git: a branch that moved is seen, one that did not is not fetched again" {
	needs_git
	git clone -q "$repo_dir" "$BATS_TEST_TMPDIR/own.git"
	printf 'FROM busybox\nADD file://%s#main /x/\n' "$BATS_TEST_TMPDIR/own.git?submodules=false" \
		>"$ctx/Dockerfile"
	sed -i 's/?submodules=false#main/?submodules=false\&ref=main/' "$ctx/Dockerfile"
	build
	build_log
	is "$(cached)" 2
	echo moved >"$BATS_TEST_TMPDIR/own.git/a"
	git -C "$BATS_TEST_TMPDIR/own.git" commit -qam moved
	build
	is "$(in_t cat /x/a)" moved
}

@test "git: no hook, filter or setting of anybody is obeyed" {
	needs_git
	local evil=$BATS_TEST_TMPDIR/evil.git mark=$BATS_TEST_TMPDIR/mark
	git init -q "$evil"
	echo '* filter=evil' >"$evil/.gitattributes"
	echo x >"$evil/x"
	git -C "$evil" add .
	git -C "$evil" commit -qm x
	mkdir -p "$BATS_TEST_TMPDIR/hooks" "$BATS_TEST_TMPDIR/template/hooks"
	printf '#!/bin/sh\ntouch %s\n' "$mark" >"$BATS_TEST_TMPDIR/hooks/post-checkout"
	chmod 755 "$BATS_TEST_TMPDIR/hooks/post-checkout"
	cp "$BATS_TEST_TMPDIR/hooks/post-checkout" "$BATS_TEST_TMPDIR/template/hooks/"
	cat >"$BATS_TEST_TMPDIR/config" <<-END
	[core]
		hooksPath = $BATS_TEST_TMPDIR/hooks
	[init]
		templateDir = $BATS_TEST_TMPDIR/template
	[filter "evil"]
		smudge = "touch $mark; cat"
	END
	printf 'FROM busybox\nADD file://%s /x/\n' "$evil" >"$ctx/Dockerfile"
	GIT_CONFIG_GLOBAL=$BATS_TEST_TMPDIR/config GIT_TEMPLATE_DIR=$BATS_TEST_TMPDIR/template \
		GIT_DIR=/nonexistent build
	is "$(in_t cat /x/x)" x
	[ ! -e "$mark" ]
}

@test "git: what is not there is named" {
	needs_git
	local line said
	while IFS='|' read -r line said; do
		printf 'FROM busybox\n%s\n' "$line" >"$ctx/Dockerfile"
		run stave build -q "$ctx"
		ended 1
		has "$output" "$said"
	done <<-END
	ADD $repo#nosuch /x|$repo: repository does not contain ref nosuch
	ADD $repo#main:nosuch /x|invalid subdir /nosuch: "nosuch" does not exist in commit
	ADD $repo#main:out /x|invalid subdir /out: git subpath contains non-directory "out"
	ADD $repo#main:a /x|invalid subdir /a: git subpath contains non-directory "a"
	ADD $repo#main:../x /x|subdirectory ../x leaves the repository
	ADD $repo?nosuch=1 /x|unexpected query "nosuch"
	ADD $repo?ref=a&tag=b /x|ref conflicts
	ADD $repo#--upload-pack=x /x|the ref begins with "-"
	ADD file:///nowhere/r.git /x|file:///nowhere/r.git: git: '/nowhere/r.git' does not appear to be a git repository
	ADD --checksum=123 $repo /x|invalid commit "123"
	COPY $repo /x|source can't be a git ref for COPY
	END
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf 'FROM busybox\nADD %s /x\n' "$repo" >"$ctx/Dockerfile"
	local program
	program=$(command -v stave)
	PATH=$BATS_TEST_TMPDIR/bin run "$program" build -q --no-cache "$ctx"
	ended 1
	has "$output" "git: command not found"
	nothing_left
	is "$(find "$STAVE_ROOT/cache/git" -maxdepth 1 -name 'new-*')" ""
}

# ---- contexts ----

@test "a git repository as context: branch, subdirectory, its Dockerfile and ignore file" {
	needs_git
	stave build -q -t t "$repo" >/dev/null
	is "$(in_t sh -c 'ls -A /x; cat /x/a' | tr '\n' ' ')" ".dockerignore .gitmodules Dockerfile a d in m main "
	stave build -q -t t "$repo#feature" >/dev/null
	is "$(in_t cat /x/a)" feature
	# -f means a file in it, whatever lies here
	mkdir "$BATS_TEST_TMPDIR/here"
	echo nonsense >"$BATS_TEST_TMPDIR/here/Other"
	cd "$BATS_TEST_TMPDIR/here"
	run stave build --progress=plain -f Other -t t "$repo?ref=main&subdir=d/e"
	ended 0
	has "$output" "#1 [internal] load git source $repo?ref=main&subdir=d/e"
	is "$(in_t ls /y)" f
	run stave build -q -f Nosuch "$repo"
	ended 1
	has "$output" "open Nosuch: no such file or directory"
	run stave build -q "$repo#nosuch"
	ended 1
	has "$output" "repository does not contain ref nosuch"
	nothing_left
}

@test "a git context that is built again comes from the cache" {
	needs_git
	stave build -q "$repo" >/dev/null
	run stave build --progress=plain "$repo"
	ended 0
	is "$(cached)" 2
}

@test "a tar behind a URL as context, and a Dockerfile alone" {
	mkdir "$BATS_TEST_TMPDIR/c"
	printf 'FROM busybox\nCOPY f /x/\n' >"$BATS_TEST_TMPDIR/c/Dockerfile"
	printf 'FROM busybox\nCOPY f /other/\n' >"$BATS_TEST_TMPDIR/c/Other"
	echo f >"$BATS_TEST_TMPDIR/c/f"
	tar -C "$BATS_TEST_TMPDIR/c" -czf "$www/ctx.tar.gz" .
	stave build -q -t t "$url/ctx.tar.gz" >/dev/null
	is "$(in_t cat /x/f)" f
	stave build -q -f Other -t t "$url/ctx.tar.gz" >/dev/null
	is "$(in_t cat /other/f)" f
	printf 'FROM busybox\nRUN echo alone >/alone\n' >"$www/alone"
	stave build -q -t t "$url/alone" >/dev/null
	is "$(in_t cat /alone)" alone
	run stave build -q "$url/nothing"
	ended 1
	has "$output" "$url/nothing: invalid response status 404"
	nothing_left
}

@test "--build-context: a git repository, and a tar behind a URL" {
	needs_git
	echo t >"$BATS_TEST_TMPDIR/t"
	tar -C "$BATS_TEST_TMPDIR" -cf "$www/named.tar" t
	printf 'FROM busybox\nCOPY --from=g f /x/\nCOPY --from=u t /x/\n' >"$ctx/Dockerfile"
	build --build-context "g=$repo#main:d/e" --build-context "u=$url/named.tar"
	is "$(in_t ls /x | tr '\n' ' ')" "f t "
	echo plain >"$www/plain"
	run stave build -q --build-context "u=$url/plain" "$ctx"
	ended 1
	has "$output" "build context u: $url/plain is not an archive"
	nothing_left
}

@test "builder du and prune know what was fetched" {
	needs_git
	echo fetched >"$www/fetched"
	printf 'FROM busybox\nADD %s/fetched /\nADD %s /x/\n' "$url" "$repo" >"$ctx/Dockerfile"
	build
	run stave builder du --verbose
	ended 0
	has "$output" "http/body-$(sha256sum <"$www/fetched" | cut -d' ' -f1)"
	has "$output" "source.git.checkout"
	run stave builder prune -af
	ended 0
	is "$(find "$STAVE_ROOT/cache/http" "$STAVE_ROOT/cache/git" -mindepth 1 | wc -l)" 0
	build
	is "$(in_t cat /fetched)" fetched
	store_is_clean
}
