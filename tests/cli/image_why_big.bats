# SPDX-License-Identifier: Apache-2.0
#
# image why-big: each byte in one place, what is wasted, and the page.

load common

setup_file() { private_store; }

json() { stave image why-big --format json "$1"; }

# PATH LAYER: what is said of it
fate() {
	json t | jq -r --arg p "$1" --argjson l "$2" \
		'.Layers[$l - 1].Files[] | select(.Path == $p) | "\(.Bytes) \(.Waste // "used") \(.InLayer // .SameAs // "")"'
}

# Bytes of the image, of its layers and of its files are the same, and those that inspect says.
adds_up() {
	is "$(json "$1" | jq '[.Bytes, ([.Layers[].Bytes] | add), ([.Layers[].Files[].Bytes] | add)] | unique | length')" 1
	is "$(json "$1" | jq .Bytes)" "$(stave inspect --format '{{.Size}}' "$1")"
	is "$(json "$1" | jq '[.Layers[].Files[] | select(.Waste) | .Bytes] | add // 0')" \
		"$(json "$1" | jq '[.Wasted[]] | add')"
}

wasteful() {
	head -c 1000 /dev/zero >"$ctx/a"
	head -c 2000 /dev/urandom >"$ctx/b"
	mkdir -p "$ctx/d/sub"
	head -c 300 /dev/urandom >"$ctx/d/sub/x"
	head -c 400 /dev/urandom >"$ctx/d/y"
	dockerfile <<-'END'
	FROM busybox
	COPY a b /f/
	COPY d /d
	RUN echo new > /f/a; rm /f/b

	RUN rm -r /d; mkdir /d; echo y > /d/y
	COPY a /again
	RUN echo 12345678 > /one; ln /one /two
	RUN rm /one
	COPY d/y /dir
	RUN rm -r /root; echo file > /root
	END
	build
}

@test "why-big: each byte once, and what became of it" {
	wasteful
	adds_up busybox
	adds_up t
	is "$(fate /f/a 2)" "1000 shadowed 4"
	is "$(fate /f/b 2)" "2000 deleted 4"
	is "$(fate /d/sub/x 3)" "300 deleted 5"
	is "$(fate /d/y 3)" "400 shadowed 5"
	is "$(fate /d/y 5)" "2 used "
	is "$(fate /f/a 4)" "4 used "
	# what nobody sees is no original of a duplicate
	is "$(fate /again 6)" "1000 used "
	# as long as one of its names is there the file is
	is "$(fate /one 7)" "9 used "
	is "$(json t | jq -c .Wasted)" '{"Shadowed":1400,"Deleted":2300,"Duplicated":0}'
}

@test "why-big: hard links, duplicates in and between layers" {
	head -c 5000 /dev/urandom >"$ctx/a"
	cp "$ctx/a" "$ctx/b"
	printf 'FROM busybox\nCOPY a b /\nCOPY a /c\nRUN ln /a /l; rm /l\nRUN rm /b\n' | dockerfile
	build
	adds_up t
	is "$(fate /b 2)" "5000 deleted 5"
	# overlayfs copies a file whose links change
	is "$(fate /a 2)" "5000 shadowed 4"
	is "$(fate /c 3)" "5000 used "
	is "$(fate /a 4)" "5000 duplicated /c"
	is "$(json t | jq -c .Wasted)" '{"Shadowed":5000,"Deleted":5000,"Duplicated":5000}'
}

@test "why-big: lines of the Dockerfile, of ours below as well" {
	printf 'FROM busybox\n\nCOPY a /base\n' >"$ctx/base.df"
	echo a >"$ctx/a"
	stave build -q -t base -f "$ctx/base.df" "$ctx" >/dev/null
	printf 'FROM base\nENV X=1\nRUN echo 1 > /1\nCOPY a /2\n' | dockerfile
	build
	is "$(json t | jq -c '[.Layers[] | [(.Dockerfile // "none" | split("/")[-1]), .Line]]')" \
		'[["none",null],["base.df",3],["Dockerfile",3],["Dockerfile",4]]'
	run stave image why-big --depth 1 t
	ended 0
	has "$output" "layer 3: RUN /bin/sh -c echo 1 > /1 # buildkit (Dockerfile:3)"
}

@test "why-big: packages of dpkg and apk" {
	mkdir -p "$ctx/deb/var/lib/dpkg/info" "$ctx/deb/usr/bin" "$ctx/apk/lib/apk/db" "$ctx/apk/opt"
	printf 'Package: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.10-3\n\n' \
		>"$ctx/deb/var/lib/dpkg/status"
	printf '/.\n/bin\n/bin/hello\n' >"$ctx/deb/var/lib/dpkg/info/hello.list"
	head -c 700 /dev/urandom >"$ctx/deb/usr/bin/hello"
	printf 'P:tool\nV:1.2-r0\nA:x86_64\nF:opt\nR:tool\n\n' >"$ctx/apk/lib/apk/db/installed"
	head -c 900 /dev/urandom >"$ctx/apk/opt/tool"
	head -c 50 /dev/urandom >"$ctx/own"
	dockerfile <<-'END'
	FROM busybox
	COPY deb /
	COPY apk /
	COPY own /opt/tool
	END
	build
	adds_up t
	is "$(json t | jq -c '[.Packages[] | [.Type, .Name, .Version]]')" \
		'[["deb","hello","2.10-3"],["apk","tool","1.2-r0"]]'
	is "$(json t | jq -c '[.Layers[] | [.Files[] | select(.Package != null) | [.Path, .Package]]]')" \
		'[[],[["/usr/bin/hello",0]],[["/opt/tool",1]],[]]'
	run stave image why-big --top 3 t
	has "$output" "hello 2.10-3 (deb)"
	has "$output" "tool 1.2-r0 (apk) [900B wasted]"
}

@test "why-big: what fits, cut at the width of the terminal" {
	wasteful
	run stave image why-big t
	ended 0
	has "${lines[0]}" " 100.0%  t, 10 layers, "
	[ "${#lines[@]}" -lt 60 ]
	is "$(stave image why-big --depth 1 t | grep -c ' layer [0-9]*:')" 9
	run stave image why-big --top 1 --depth 2 t
	is "$(grep -c 'layer [0-9]*:' <<<"$output")" 1
	has "$output" "more"
	command -v script >/dev/null || skip "script is missing"
	run script -qec "stty cols 40 rows 20; stave image why-big t" /dev/null
	# characters, whatever the machine's locale is
	local LC_ALL=C.UTF-8
	while IFS= read -r line; do
		line=${line%$'\r'}
		[ "${#line}" -le 40 ]
	done <<<"$output"
	[ "${#lines[@]}" -lt 30 ]
}

@test "why-big: errors" {
	run stave image why-big nowhere
	ended 1
	has "$output" "No such image: nowhere:latest"
	run stave image why-big --format xml busybox
	ended 1
	has "$output" "it takes text or json"
	run stave image why-big --html x --format json busybox
	ended 125
}

# Names that would be markup, code, or no text at all.
hostile() {
	mkdir -p "$ctx/h"
	head -c 3000 /dev/zero >"$ctx/h/<img src=x onerror=alert(1)>"
	head -c 2000 /dev/zero >"$ctx/h/"$'\xff\x1b[31m'
	mkdir "$ctx/h/<"
	head -c 4000 /dev/zero >"$ctx/h/</script><script>document.title='owned'<"
	head -c 2500 /dev/zero >"$ctx/h/"\''"&amp;'
	printf 'FROM scratch\nCOPY h /\nLABEL a=b\n' | dockerfile
	build
}

@test "why-big: hostile names" {
	hostile
	adds_up t
	run stave image why-big t
	ended 0
	hasnt "$output" $'\x1b'
	has "$output" '�?[31m'
	stave image why-big --html "$ctx/page.html" t
	# one script of ours, one block of data, no other tag from a name
	is "$(grep -o '<script' "$ctx/page.html" | wc -l)" 2
	is "$(grep -c '<img' "$ctx/page.html" || true)" 0
	is "$(grep -cE '(src|href)="?https?:' "$ctx/page.html" || true)" 0
	has "$(cat "$ctx/page.html")" "default-src 'none'"
}

# What a browser made of the page: PAGE[#PLACE]
browse() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --window-size=1000,800 \
		--user-data-dir="$BATS_TEST_TMPDIR/profile" --dump-dom "file://$1" \
		2>"$BATS_TEST_TMPDIR/browser.log"
}

@test "why-big: the page in a browser, from a file" {
	command -v chromium >/dev/null || skip "chromium is missing"
	wasteful
	stave image why-big --html "$ctx/page.html" t
	run browse "$ctx/page.html"
	ended 0
	has "$output" 'class="cell"'
	has "$output" 'layer 1: '
	has "$output" '<td>layer</td><td>3kB</td>'
	# zoomed into the largest layer and its largest directory
	run browse "$ctx/page.html#/0/0"
	has "$output" '<nav id="path"><a href="#/">t</a> › <a href="#/0">layer 1: '
	has "$output" 'busybox'
	hasnt "${output#*<nav}" 'role="button" aria-label="layer'
}

@test "why-big: hostile names in a browser are text" {
	command -v chromium >/dev/null || skip "chromium is missing"
	hostile
	stave image why-big --html "$ctx/page.html" t
	run browse "$ctx/page.html#/0"
	ended 0
	has "$output" 'class="cell"'
	has "$output" '<title>t</title>'
	has "$output" '&lt;img src=x onerror=alert(1)&gt;'
	is "$(grep -c '<img' <<<"$output" || true)" 0
}
