# SPDX-License-Identifier: Apache-2.0
# Where files come from: what COPY and ADD choose, named contexts, layouts of
# images, downloads and git repositories.

load common

setup_file() {
	private_store
}

# A tree with something for each kind of pattern.
sources() {
	mkdir -p "$ctx"/src/sub/deep "$ctx"/src/node_modules/m "$ctx"/src/empty "$ctx"/two
	local f
	for f in home.txt home.md src/a.c src/a.h src/sub/b.c src/sub/b.txt src/sub/deep/c.c \
		src/node_modules/m/i.js two/z.c; do
		echo "$f" >"$ctx/$f"
	done
}

# The files below /x of the image, in one line.
files_of_t() { in_t sh -c 'cd /x && find . -type f | sort | tr "\n" " "'; }
all_of_t() { in_t sh -c 'cd /x && find . ! -name . | sort | tr "\n" " "'; }

# ---- --exclude ----

@test "--exclude: patterns are relative to each source directory" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=sub/deep --exclude=*.h src two /x/
	END
	build
	is "$(files_of_t)" "./a.c ./node_modules/m/i.js ./sub/b.c ./sub/b.txt ./z.c "
}

@test "--exclude: ** is any depth, a directory goes with all below it, ! takes back" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=**/node_modules --exclude=**/*.txt src /x/
	END
	build
	is "$(all_of_t)" "./a.c ./a.h ./empty ./sub ./sub/b.c ./sub/deep ./sub/deep/c.c "
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=** --exclude=!**/c.c src /x/
	END
	build
	is "$(all_of_t)" "./sub ./sub/deep ./sub/deep/c.c "
}

@test "--exclude: a file that is named itself is taken, as in Docker" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=*.txt home* /x/
	END
	build
	is "$(files_of_t)" "./home.md ./home.txt "
}

@test "--exclude: two COPYs of one directory do not meddle, and each has its own cache key" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --exclude=*.c src /x/
	COPY --exclude=*.h src /y/
	COPY --from=busybox --exclude=* /etc /e1/
	COPY --from=busybox --exclude=group /etc /e2/
	END
	build
	is "$(in_t sh -c 'ls /x | tr "\n" " "; ls /y | tr "\n" " "; ls /e1; ls /e2')" \
		"a.h empty node_modules sub a.c empty node_modules sub passwd"
	echo more >>"$ctx/src/a.c"
	build_log
	is "$(cached)" 2
	is "$(in_t tail -n 1 /y/a.c)" more
}

@test "--exclude: variables, and patterns that are none" {
	sources
	dockerfile <<-'END'
	FROM busybox
	ARG what=*.c
	COPY --exclude=$what --exclude= --exclude=/sub src /x/
	END
	build
	is "$(in_t ls /x | tr '\n' ' ')" "a.h empty node_modules sub "
	printf 'FROM busybox\nCOPY --exclude=[ src /x/\n' >"$ctx/Dockerfile"
	run stave build -q "$ctx"
	ended 1
	has "$output" "Dockerfile:2"
	has "$output" "--exclude=[: malformed pattern"
}

# ---- --parents ----

@test "--parents: the directories above come along, from the pivot on" {
	sources
	chmod 750 "$ctx/src/sub"
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/sub/b.c two/z.c /x/
	END
	build
	is "$(all_of_t)" "./src ./src/sub ./src/sub/b.c ./two ./two/z.c "
	is "$(in_t stat -c %a /x/src/sub)" 750
	dockerfile <<-'END'
	FROM busybox
	COPY --parents ./src/./sub/deep/c.c /x/
	END
	build
	is "$(all_of_t)" "./sub ./sub/deep ./sub/deep/c.c "
}

@test "--parents: patterns, ** too, with --exclude, and a directory means all of it" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --parents --exclude=**/deep ./src/**/*.c /x/
	END
	build
	is "$(files_of_t)" "./src/a.c ./src/sub/b.c "
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/./sub two /x/
	END
	build
	is "$(files_of_t)" "./sub/b.c ./sub/b.txt ./sub/deep/c.c ./two/z.c "
}

@test "--parents: what is not there is an error that names it" {
	sources
	dockerfile <<-'END'
	FROM busybox
	COPY --parents src/./nothing /x/
	END
	run stave build -q "$ctx"
	ended 1
	has "$output" '"/src/./nothing" not found in the build context'
}

# ---- ADD --unpack, heredocs ----

@test "ADD --unpack=false copies an archive, --unpack=true unpacks as without it" {
	sources
	tar -C "$ctx/src" -czf "$ctx/pack.tgz" sub
	dockerfile <<-'END'
	FROM busybox
	ADD --unpack=false pack.tgz /x/
	ADD --unpack=true pack.tgz /x/y/
	ADD pack.tgz /x/z/
	END
	build
	is "$(in_t sh -c 'ls /x /x/y /x/z' | tr '\n' ' ')" \
		"/x: pack.tgz y z  /x/y: sub  /x/z: sub "
}

@test "COPY of several heredocs with --chmod and --chown" {
	dockerfile <<-'END'
	FROM busybox
	COPY --chmod=640 --chown=7:8 <<A <<"B" /x/
	one $HOME
	A
	two $HOME
	B
	COPY --chmod=u=rw,go= <<A /name
	three
	A
	END
	build
	is "$(in_t sh -c 'cat /x/A /x/B /name; stat -c "%a %u:%g" /x /x/A /x/B /name')" \
		$'one \ntwo $HOME\nthree\n640 7:8\n640 7:8\n640 7:8\n600 0:0'
}
