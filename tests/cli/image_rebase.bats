# SPDX-License-Identifier: Apache-2.0
#
# image flatten, image rebase

load common

setup_file() { private_store; }

# NAME, then a Dockerfile from standard input
make() { stave build -q -t "$1" -f - "$ctx" >/dev/null; }

history_of() { stave history --no-trunc --format '{{.CreatedBy}}' "$1"; }

# Files and config are the same; layers of COPY too.
equal() {
	is "$(stave image diff "$1" "$2")" ""
	is "$(history_of "$1")" "$(history_of "$2")"
}

# Two versions of a base; what is built on them says FROM base.
bases() {
	mkdir -p "$ctx/lib"
	echo app >"$ctx/app"
	echo conf >"$ctx/lib/conf"
	make base:1 <<-'END'
	FROM busybox
	RUN mkdir -p /opt /old/d; echo 1 > /etc/version; echo stays > /etc/stays; echo x > /old/d/x; echo y > /old/y
	ENV VERSION=1 KEEP=k GONE=g
	LABEL base=1 vendor=us
	EXPOSE 80
	CMD ["one"]
	END
	make base:2 <<-'END'
	FROM busybox
	RUN mkdir -p /opt /old/d; echo 2 > /etc/version; echo stays > /etc/stays; echo x > /old/d/x; echo y > /old/y
	RUN echo new > /etc/new
	ENV VERSION=2 KEEP=k NEW=n
	LABEL base=2 more=label
	EXPOSE 81
	VOLUME /data
	STOPSIGNAL SIGQUIT
	CMD ["two"]
	END
	printf 'FROM base:2\nSHELL ["/bin/sh", "-ec"]\n' | make base:shell
	stave tag base:1 base:latest
}

@test "rebase: the files and settings of a true rebuild" {
	bases
	cat >"$ctx/app.df" <<-'END'
	FROM base
	COPY --chown=0:0 app lib/ /opt/
	COPY lib /srv/lib
	ENV OWN=o KEEP=mine
	LABEL own=l
	EXPOSE 8080/udp
	VOLUME /own
	WORKDIR /opt
	HEALTHCHECK CMD true
	END
	make app <"$ctx/app.df"
	stave image rebase app --onto base:shell -t moved
	stave tag base:shell base:latest
	make rebuilt <"$ctx/app.df"
	equal moved rebuilt
	# to and fro
	stave image rebase moved --onto base:1 -t back
	is "$(stave image diff app back)" ""
	is "$(layers_of app)" "$(layers_of back)"
	store_is_clean
}

@test "rebase: RUN layers that make and delete" {
	bases
	cat >"$ctx/app.df" <<-'END'
	FROM base
	RUN mkdir -p /made/by/run; echo 1 > /made/by/run/f; ln /made/by/run/f /made/hard; ln -s f /made/by/run/s
	RUN rm -r /old/d; rm /old/y /made/by/run/f; echo more >> /etc/stays
	ENTRYPOINT ["/bin/echo"]
	END
	make app <"$ctx/app.df"
	stave image rebase app --onto base:2 -t moved
	sed -i s/base/base:2/ "$ctx/app.df"
	make rebuilt <"$ctx/app.df"
	equal moved rebuilt
	is "$(stave run --rm --network none --entrypoint cat moved /made/hard)" 1
}

@test "rebase: refuses with all reasons; --force" {
	bases
	make app <<-'END'
	FROM base
	RUN echo mine > /etc/version; rm /old/y; rm -r /old/d; mkdir -m 700 /only
	ENV VERSION=mine
	LABEL vendor=me base=mine
	CMD ["mine"]
	END
	make base:3 <<-'END'
	FROM busybox
	RUN mkdir -p /old /only; echo 3 > /etc/version; chmod 700 /etc
	ENV VERSION=3
	LABEL base=3
	ONBUILD RUN true
	SHELL ["/bin/ash", "-c"]
	CMD ["three"]
	END
	run stave image rebase app --onto base:3 -t refused
	ended 1
	is "$(grep '^  - ' <<<"$output" | sort)" '  - CMD: the image and the new base both changed it
  - ENV VERSION: the image and the new base both changed it
  - LABEL base: the image and the new base both changed it
  - LABEL vendor: the image and the new base both changed it
  - ONBUILD: the new base has instructions that only a build runs
  - SHELL: another one would have run the image'"'"'s RUN instructions
  - the image deletes /old/d, and the new base has it no more
  - the image deletes /old/y, and the new base has it no more
  - the image has its own directory /etc, and the new base changed it
  - the image has its own directory /only, and only the new base has it
  - the image replaces /etc/version, and the new base changed it'
	has "$output" "--force"
	run stave inspect refused
	ended 1
	stave image rebase app --onto base:3 -t moved --force
	is "$(stave inspect --format '{{.Config.Cmd}}' moved)" "[mine]"
	is "$(stave run --rm --network none moved cat /etc/version)" mine
	store_is_clean
}

@test "rebase: links and types of the new base" {
	mkdir -p "$ctx/d"
	echo f >"$ctx/d/f"
	printf 'FROM busybox\nRUN mkdir /l /d; echo 1 > /f\n' | make typed:1
	printf 'FROM busybox\nRUN mkdir /real /d /f; ln -s real /l\n' | make typed:2
	printf 'FROM typed:1\nCOPY d /l\nCOPY d/f /f\n' | make app
	run stave image rebase app --onto typed:2
	ended 1
	has "$output" "has its own directory /l, and the new base changed it"
	has "$output" "replaces /f, and the new base changed it"
	printf 'FROM typed:1\nCOPY d /d\n' | make app
	stave image rebase app --onto typed:2 -t moved
	printf 'FROM typed:2\nCOPY d /d\n' | make rebuilt
	equal moved rebuilt
}

@test "rebase: which base it was" {
	bases
	printf 'FROM base\nCOPY app /app\n' | make app
	# the longest part of the layers, and --from for a shorter one
	printf 'FROM app\nCOPY app /more\n' | make more
	stave image rebase more --onto base:2 -t short
	is "$(layers_of short | wc -l)" 4
	stave image rebase more --onto base:2 --from base:1 -t long
	is "$(layers_of long | wc -l)" 5
	run stave image rebase more --onto base:2 --from base:2
	ended 1
	has "$output" "does not begin with the layers of --from"
	run stave image rebase more
	ended 125
	has "$output" "--onto"
	# settings only: the same layers as its base's
	printf 'FROM base\nENV A=b\n' | make settings
	stave image rebase settings --onto base:2 -t moved
	printf 'FROM base:2\nENV A=b\n' | make rebuilt
	equal moved rebuilt
	tar -C "$ctx" -c app | stave import - orphan >/dev/null
	run stave image rebase orphan --onto base:2
	ended 1
	has "$output" "--from OLD-BASE"
}

@test "rebase: another platform is a reason" {
	bases
	printf 'FROM base\nCOPY app /app\n' | make app
	tar -C "$BATS_FILE_TMPDIR/base" -c . | stave import --platform linux/arm64 - foreign >/dev/null
	run stave image rebase app --onto foreign
	ended 1
	has "$output" "the image is for linux/amd64, the new base for linux/arm64"
}

@test "flatten: one layer, the same files and settings" {
	bases
	make app <<-'END'
	FROM base
	COPY app lib /opt/
	RUN rm /opt/app; echo x > /x; ln /x /y; chmod 4755 /x
	ENV A=b
	LABEL l=m
	ENTRYPOINT ["/bin/echo"]
	END
	id=$(stave image flatten app flat:1)
	is "$id" "$(stave inspect --format '{{.Id}}' flat:1)"
	is "$(layers_of flat:1 | wc -l)" 1
	is "$(stave image diff app flat:1)" ""
	is "$(stave inspect --format '{{json .Config}}' flat:1)" "$(stave inspect --format '{{json .Config}}' app)"
	is "$(stave run --rm --network none flat:1 hello)" hello
	[ "$(stave inspect --format '{{.Size}}' flat:1)" -lt "$(stave inspect --format '{{.Size}}' app)" ]
	# again, and without a name
	is "$(stave image flatten app)" "$id"
	run stave image flatten nowhere
	ended 1
	run stave image flatten app UPPER
	ended 1
	stave image verify flat:1
	store_is_clean
}
