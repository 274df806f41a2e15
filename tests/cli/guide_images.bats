# SPDX-License-Identifier: Apache-2.0
#
# Command lines that guides to Docker print, typed as they print them, with
# stave under the name "docker".  What comes out has the shape that they show:
# headings, columns, patterns.  Bases that they pull are made here.

load common

setup_file() {
	private_store
	am_root || return 0
	mkdir -p "$BATS_FILE_TMPDIR/bin" "$BATS_FILE_TMPDIR/alpine"
	printf '#!/bin/sh\nexec stave "$@"\n' >"$BATS_FILE_TMPDIR/bin/docker"
	chmod 755 "$BATS_FILE_TMPDIR/bin/docker"
	export PATH=$BATS_FILE_TMPDIR/bin:$PATH
	make_alpine
	for name in ubuntu:latest ubuntu:22.04 python:latest python:alpine python:3 python:3-alpine; do
		stave tag busybox "$name"
	done
}

# An "alpine" whose apk is a script that installs what a python would bring.
make_alpine() {
	mkdir -p "$BATS_FILE_TMPDIR/ctx"
	cat >"$BATS_FILE_TMPDIR/ctx/apk" <<-'END'
	#!/bin/sh
	echo "(1/1) Installing python3 (3.8.7-r1)"
	mkdir -p /usr/lib/python3.8
	echo so > /usr/lib/libpython3.so
	echo py > /usr/lib/python3.8/profile.py
	echo "OK: 53 MiB in 24 packages"
	END
	chmod 755 "$BATS_FILE_TMPDIR/ctx/apk"
	printf 'FROM busybox\nCOPY apk /sbin/apk\nRUN mkdir -p /usr/lib\nCMD ["/bin/sh"]\n' |
		stave build -q -t alpine:latest -f - "$BATS_FILE_TMPDIR/ctx" >/dev/null
	# one layer, as the real one
	stave image flatten alpine:latest alpine:latest >/dev/null
}

setup() {
	common_setup
	cd "$ctx" || return
}

matches() {
	[[ $1 =~ $2 ]] || {
		printf 'pattern: %s\nin:      %s\n' "$2" "$1"
		return 1
	}
}

id_pattern='[0-9a-f]{12}'
size_pattern='[0-9.]+[kMG]?B'

@test "guide: an image by committing to a container" {
	run docker image ls --format \
		'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}' alpine:latest
	ended 0
	is "${lines[0]}" "REPOSITORY   TAG       IMAGE ID       SIZE"
	matches "${lines[1]}" "^alpine       latest    $id_pattern   $size_pattern$"
	is "${#lines[@]}" 2

	run docker container run alpine apk add --no-cache python3
	ended 0
	has "$output" "Installing python3"

	run docker container ls -l --format 'table {{.ID}}\t{{.Image}}\t{{.Command}}'
	ended 0
	is "${lines[0]}" "CONTAINER ID   IMAGE     COMMAND"
	matches "${lines[1]}" "^$id_pattern   alpine    \"apk add --no-cache …\"$"
	local id=${lines[1]%% *}

	run bash -c "docker container diff $id | grep python"
	is "$output" "A /usr/lib/libpython3.so
A /usr/lib/python3.8
A /usr/lib/python3.8/profile.py"

	run docker container commit -m "Added Python3" "$id" my-image:1.0
	ended 0
	matches "$output" '^sha256:[0-9a-f]{64}$'
	local image=${output:7:12}

	run docker image ls --format \
		'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}' my-image:1.0
	is "${lines[0]}" "REPOSITORY   TAG       IMAGE ID       SIZE"
	matches "${lines[1]}" "^my-image     1.0       $image   $size_pattern$"

	is "$(docker image inspect my-image:1.0 | jq -c '.[0].Config | [.Cmd, .Entrypoint, .WorkingDir]')" \
		'[["apk","add","--no-cache","python3"],null,""]'
	is "$(docker image inspect my-image:1.0 | jq -r '.[0].Config.Env[0]')" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	is "$(docker image inspect my-image:1.0 | jq -r '.[0].RootFS.Type')" layers
	is "$(docker image inspect my-image:1.0 | jq -r '.[0].RootFS.Layers | length')" 2
	is "$(docker image inspect my-image:1.0 | jq -r '.[0].RootFS.Layers[0]')" \
		"$(docker image inspect alpine:latest | jq -r '.[0].RootFS.Layers[]')"

	docker container export -o my-image-1.1.tar $(docker container ls -lq)
	run docker image import my-image-1.1.tar my-image:1.1
	ended 0
	matches "$output" '^sha256:[0-9a-f]{64}$'
	is "$(docker image inspect my-image:1.1 | jq '.[0].RootFS.Layers | length')" 1

	run docker image history my-image:1.0
	matches "${lines[0]}" '^IMAGE          CREATED +CREATED BY  +SIZE      COMMENT$'
	matches "${lines[1]}" "^$image   (Less than a second|[0-9]+ seconds?) ago +apk add --no-cache python3 +$size_pattern +Added Python3$"
	has "$output" "<missing>"
	run docker image history my-image:1.1
	is "${#lines[@]}" 2
	matches "${lines[1]}" "^$id_pattern   .* ago +$size_pattern +Imported from -$"
}

@test "guide: a named container, and who committed it" {
	docker run --name mlhub ubuntu:latest sh -c 'echo hub > /mlhub'
	docker commit -m "Added mlhub" -a "mlhubber" mlhub mlhubber/mlhub:v2.0
	is "$(docker image inspect mlhubber/mlhub:v2.0 | jq -r '.[0] | .Author, .Comment')" $'mlhubber\nAdded mlhub'
	# smaller by export and import
	docker export mlhub | docker import - small
	is "$(docker run --rm small cat /mlhub)" hub
	docker rm mlhub
}

@test "guide: an image from scratch" {
	command -v g++ >/dev/null || skip "g++ is missing"
	cat <<-EOF > hello.cpp
	#include<iostream>
	int main() {
	  std::cout << "Hello!" << std::endl;
	  return 0;
	}
	EOF
	g++ -o hello -static hello.cpp
	# the guide has comments behind its instructions, which Docker refuses
	cat <<-EOF > Dockerfile
	FROM scratch    # a comment
	ADD hello /     # another one
	CMD ["/hello"]  # and a third
	EOF
	run docker build -t hello .
	ended 0
	has "$output" "TrailingComment"
	is "$(docker run hello)" 'Hello!'
	run docker history hello
	matches "${lines[0]}" '^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$'
	matches "${lines[1]}" "^$id_pattern .* CMD \[\"/hello\"\] +0B"
	matches "${lines[2]}" "ADD hello / .*$size_pattern"
	rm hello hello.cpp Dockerfile
}

@test "guide: arguments, a file-only output, a stage" {
	cat >Dockerfile <<-'END'
	ARG VERSION=latest
	FROM ubuntu:${VERSION} as builder
	ARG VERSION
	RUN echo "made by $VERSION" > /result
	FROM scratch AS binaries
	COPY --from=builder /result /result
	END
	docker build --build-arg="VERSION=22.04" .
	docker build --build-arg="VERSION=22.04" --output=. --target=binaries .
	is "$(cat result)" "made by 22.04"
	docker build --target builder -t repo-name/image-name:tag .
	is "$(docker run --rm repo-name/image-name:tag cat /result)" "made by latest"
	run docker image build --no-cache=true -t repo-name/image-name:tag .
	ended 0
	# FROM is no step
	is "$(cached)" 1
	docker image tag repo-name/image-name:tag new-name:tag
	is "$(docker images -q new-name:tag)" "$(docker images -q repo-name/image-name:tag)"
}

@test "guide: two stages for a python" {
	echo wheel >requirements.txt
	echo 'print("app")' >app.py
	cat >Dockerfile <<-'END'
	FROM python:3 as python-base
	COPY requirements.txt .
	RUN mkdir -p /root/.cache && cp requirements.txt /root/.cache/wheel

	FROM python:3-alpine
	COPY --from=python-base /root/.cache /root/.cache
	COPY --from=python-base requirements.txt .
	RUN cat /root/.cache/wheel > /installed && rm -rf /root/.cache
	COPY ./app.py /app/
	ENV PORT=3000
	EXPOSE $PORT
	CMD ["cat", "/app/app.py"]
	END
	docker build -t image-name:tag .
	is "$(docker run --rm image-name:tag)" 'print("app")'
	is "$(docker image inspect image-name:tag | jq -c '.[0].Config.ExposedPorts')" '{"3000/tcp":{}}'
	run docker images
	is "$(head -1 <<<"$output")" "$(grep -oE '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$' <<<"$output")"
	run docker rmi "$(docker images -q image-name:tag)"
	ended 0
	has "$output" "Untagged: image-name:tag"
	has "$output" "Deleted: sha256:"
}

@test "guide: a backup" {
	docker save busybox > busybox.tar
	is "$(tar -xOf busybox.tar manifest.json | jq -r '.[0].RepoTags[0]')" busybox:latest
	run docker load < busybox.tar
	ended 0
	is "$output" "Loaded image: busybox:latest"
	run docker load -i busybox.tar
	is "$output" "Loaded image: busybox:latest"
}

@test "guide: remove everything" {
	cp -a "$STAVE_ROOT" "$BATS_TEST_TMPDIR/store"
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	docker run busybox true
	local n=$(($(docker ps -aq | wc -l) + 1))
	run docker ps
	is "$(tr -s ' ' <<<"${lines[0]}")" "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES"
	is "${#lines[@]}" 1
	run docker ps -a
	matches "$output" "$id_pattern   busybox   \"true\" +.* ago +Exited \(0\) .* ago"
	docker run -d --name works busybox sleep "$MARK"
	run bash -c 'docker stop $(docker ps -aq) && docker rm $(docker ps -aq)'
	ended 0
	is "${#lines[@]}" "$((2 * n))"
	run bash -c 'docker builder prune -af && docker image prune -af && docker system prune -af'
	ended 0
	is "$(grep -cE "^Total( reclaimed space)?:[[:space:]]+$size_pattern$" <<<"$output")" 3
	has "$output" "untagged: busybox:latest"
	is "$(docker images -q)" ""
}

@test "guide: a base of a directory" {
	mkdir -p minisys/bin minisys/etc
	cp "$(command -v busybox)" minisys/bin/sh
	echo bionic >minisys/etc/codename
	run bash -c 'tar -C minisys -c . | docker import - bionic'
	ended 0
	matches "$output" '^sha256:[0-9a-f]{64}$'
	run docker history bionic
	matches "${lines[1]}" '^[0-9a-f]{12}   .* ago +[0-9.]+[kMG]?B +Imported from -$'
	# neither CMD nor PATH: the command is given whole
	is "$(docker run --rm bionic /bin/sh -c 'read n </etc/codename; echo $n')" bionic
}

@test "guide: a commit keeps what it hides, export and import do not" {
	printf 'FROM busybox\nRUN head -c 3000000 /dev/zero | tr "\\0" x >/cache\n' | docker build -q -t heavy -
	docker run --name clean heavy rm /cache
	docker commit -m "Remove unnecessary files to make final image" clean committed
	docker export clean | docker import - flat
	local before committed flat
	before=$(docker image inspect -f '{{.Size}}' heavy)
	committed=$(docker image inspect -f '{{.Size}}' committed)
	flat=$(docker image inspect -f '{{.Size}}' flat)
	(( committed >= before && flat <= before - 3000000 ))
	run docker history committed
	matches "${lines[1]}" '^[0-9a-f]{12}   .* ago +rm /cache +0B +Remove unnecessary files to make final image$'
	docker rm clean
}

@test "guide: build, and look at it" {
	printf 'FROM busybox\nLABEL a=b\nCOPY . /src\n' >Dockerfile
	mv Dockerfile Dockerfile.other
	docker image build -t image-name:tag -f Dockerfile.other .
	run docker image ls
	matches "${lines[0]}" '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$'
	has "$output" image-name
	run docker history image-name:tag
	matches "${lines[0]}" '^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$'
	matches "${lines[1]}" 'COPY \. /src'
	run docker image inspect image-name:tag
	is "$(jq -c '.[0] | [.RepoTags, .Config.Labels, (.RootFS.Layers | length)]' <<<"$output")" \
		'[["image-name:tag"],{"a":"b"},2]'
	docker inspect image-name:tag | jq -e '.[0] | .Config | has("Cmd") and has("Entrypoint")'
}

@test "guide: how much space, and clear it" {
	cp -a "$STAVE_ROOT" "$BATS_TEST_TMPDIR/store"
	export STAVE_ROOT=$BATS_TEST_TMPDIR/store
	docker run busybox true
	run docker system df
	ended 0
	is "$(tr -s ' ' <<<"${lines[0]}")" "TYPE TOTAL ACTIVE SIZE RECLAIMABLE"
	is "$(cut -c1-13 <<<"$output" | tail -n +2 | sed 's/ *$//' | paste -sd,)" "Images,Containers,Local Volumes,Build Cache"
	# it asks
	local before
	before=$(docker ps -aq)
	run docker system prune <<<n
	has "$output" "WARNING! This will remove:"
	has "$output" "Are you sure you want to continue? [y/N]"
	is "$(docker ps -aq)" "$before"
	run docker system prune <<<y
	ended 0
	has "$output" "Deleted Containers:"
	matches "${lines[-1]}" "^Total reclaimed space: $size_pattern$"
	is "$(docker ps -aq)" ""
	has "$(docker images)" busybox
}
