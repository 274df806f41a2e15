# SPDX-License-Identifier: Apache-2.0
# The name server of containers on networks that users made.

load common
load network

setup_file() {
	private_store
}

setup() { network_setup; }

teardown() { network_clear; }

# How many of this store's containers have a server that lives.
servers() {
	local pid n=0
	for pid in $(pgrep -x stave-names); do
		case $(readlink "/proc/$pid/fd/3") in "$STAVE_ROOT"/*) n=$((n + 1)) ;; esac
	done
	echo "$n"
}

servers_are() { [ "$(servers)" = "$1" ]; }

@test "names: by name, id, alias and host name, of both families, and the other way round" {
	local id
	stave network create --ipv6 --subnet 10.77.9.0/24 --subnet fd00:77:9::/64 lan >/dev/null
	id=$(stave run -d --name web --hostname box --network name=lan,alias=www busybox sleep "$MARK")
	run stave run --rm --network lan busybox cat /etc/resolv.conf
	has "$output" "nameserver 127.0.0.11"
	has "$output" "options ndots:0"
	for name in web box www "${id:0:12}" web.lan WEB; do
		run stave run --rm --network lan busybox nslookup "$name"
		has "$output" "Address: 10.77.9.2" || return 1
		has "$output" "Address: fd00:77:9::2" || return 1
	done
	has "$(stave run --rm --network lan busybox nslookup 10.77.9.2)" "name = web.lan"
	has "$(stave run --rm --network lan busybox nslookup fd00:77:9::2)" "name = web.lan"
	# who has the same alias is an answer, too; and it goes with its container
	stave run -d --name more --network name=lan,alias=www busybox sleep "$MARK" >/dev/null
	is "$(stave exec web nslookup -type=a www | grep -c '^Address: ')" 2
	stave rename more other
	has "$(stave exec web nslookup other)" "Name:	other"
	run stave exec web nslookup more
	hasnt "$output" "Name:"
	stave rm -f other >/dev/null
	is "$(stave exec web nslookup -type=a www | grep -c '^Address: ')" 1
	# /etc/hosts has its own name alone
	is "$(stave exec web cat /etc/hosts | grep -c 10.77.9)" 1
	# on the default bridge there is none
	hasnt "$(stave run --rm busybox cat /etc/resolv.conf)" 127.0.0.11
	stave rm -f web >/dev/null
	stave network rm lan
	nothing_left
}

@test "names: what is outside is asked of the servers; of an internal network nothing" {
	command -v python3 >/dev/null || skip "needs python3"
	# a server that says 192.0.2.7 to all, first that it cannot; by TCP too
	python3 - "$BATS_TEST_TMPDIR/asked" 3>&- <<-'END' &
	import socket, sys, threading
	def answer(m, code=0):
	    q = m[12:]
	    end = q.index(b"\0") + 5
	    a = b"" if code else b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"
	    return m[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + (b"\0\0" if code else b"\0\1") + b"\0\0\0\0" + q[:end] + a
	def bad():
	    s = socket.socket(type=socket.SOCK_DGRAM)
	    s.bind(("127.0.0.41", 53))
	    while True:
	        m, peer = s.recvfrom(999)
	        s.sendto(answer(m, 2), peer)
	def tcp():
	    s = socket.socket()
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	    s.bind(("127.0.0.42", 53))
	    s.listen()
	    while True:
	        c, _ = s.accept()
	        m = c.recv(999)
	        r = answer(m[2:])
	        c.sendall(len(r).to_bytes(2, "big") + r)
	        c.close()
	threading.Thread(target=bad, daemon=True).start()
	threading.Thread(target=tcp, daemon=True).start()
	s = socket.socket(type=socket.SOCK_DGRAM)
	s.bind(("127.0.0.42", 53))
	open(sys.argv[1], "w").close()
	while True:
	    m, peer = s.recvfrom(999)
	    s.sendto(answer(m), peer)
	END
	started+=($!)
	settled [ -e "$BATS_TEST_TMPDIR/asked" ]
	stave network create lan >/dev/null
	stave network create --internal inner >/dev/null
	run stave run --rm --network lan --dns 127.0.0.41 --dns 127.0.0.42 busybox nslookup -type=a out.example
	has "$output" "Address: 192.0.2.7"
	stave run -d --name tcp --network lan --dns 127.0.0.42 busybox sleep "$MARK" >/dev/null
	is "$(nsenter -t "$(stave inspect --format '{{.State.Pid}}' tcp)" -n python3 -c '
import socket
q = b"\7\7\1\0\0\1\0\0\0\0\0\0\3out\7example\0\0\1\0\1"
def ask(q):
    s = socket.create_connection(("127.0.0.11", 53), 5)
    s.sendall(len(q).to_bytes(2, "big") + q)
    r = b""
    while True:
        more = s.recv(999)
        if not more: break
        r += more
    return r[2:]
print(ask(q)[:2] == b"\7\7", ask(q)[-4:] == bytes([192, 0, 2, 7]), ask(q.replace(b"\3out\7example", b"\3tcp"))[3] & 15)
')" "True True 0"
	run stave run --rm --network inner --dns 127.0.0.42 busybox nslookup -type=a out.example
	has "$output" SERVFAIL
	# with a second network that leads outside it may ask
	stave run -d --name c1 --network inner --dns 127.0.0.42 busybox sleep "$MARK" >/dev/null
	run stave exec c1 nslookup -type=a out.example
	has "$output" SERVFAIL
	stave network connect lan c1
	has "$(stave exec c1 nslookup -type=a out.example)" "Address: 192.0.2.7"
	# a server of the container's own has port 53
	is "$(nsenter -t "$(stave inspect --format '{{.State.Pid}}' c1)" -n python3 -c '
import socket
for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
    socket.socket(type=kind).bind(("0.0.0.0", 53))
    print("free")' | paste -sd,)" free,free
	stave rm -f c1 tcp >/dev/null
	stave network rm lan inner
	network_teardown
	nothing_left
}

@test "names: an answer is answered by nothing; of a server's answers the right one counts" {
	command -v python3 >/dev/null || skip "needs python3"
	# before its answer it says what belongs to another question and what only asks back
	python3 - "$BATS_TEST_TMPDIR/lies" 3>&- <<-'END' &
	import socket, sys
	s = socket.socket(type=socket.SOCK_DGRAM)
	s.bind(("127.0.0.43", 53))
	open(sys.argv[1], "w").close()
	while True:
	    m, peer = s.recvfrom(999)
	    q = m[12:m.index(b"\0", 12) + 5]
	    def say(id, flags, q, last):
	        a = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2" + bytes([last])
	        s.sendto(id + flags + b"\0\1\0\1\0\0\0\0" + q + a, peer)
	    say(bytes([m[0], m[1] ^ 1]), b"\x81\x80", q, 1)
	    say(m[:2], b"\x01\x80", q, 2)
	    say(m[:2], b"\x81\x80", q.replace(b"out", b"our"), 3)
	    say(m[:2], b"\x81\x80", q.replace(b"out", b"OUT"), 4)
	END
	started+=($!)
	settled [ -e "$BATS_TEST_TMPDIR/lies" ]
	stave network create lan >/dev/null
	stave run -d --name c1 --network lan --dns 127.0.0.43 busybox sleep "$MARK" >/dev/null
	# what comes first to who has sent two answers and a question: the answer to that
	is "$(nsenter -t "$(stave inspect --format '{{.State.Pid}}' c1)" -n python3 -c '
import socket
s = socket.socket(type=socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(("127.0.0.11", 53))
s.send(b"\1\1\x81\x80\0\1\0\0\0\0\0\0\2c1\0\0\1\0\1")
s.send(b"\2\2\x81\x84\0\0\0\0\0\0\0\0")
s.send(b"\3\3\1\0\0\1\0\0\0\0\0\0\2c1\0\0\1\0\1")
print(s.recv(999)[:2])
s.send(b"\4\4\1\0\0\1\0\0\0\0\0\0\3out\7example\0\0\1\0\1")
m = s.recv(999)
print(m[:2], m[-1])
' | paste -sd" ")" "b'\x03\x03' b'\x04\x04' 4"
	stave rm -f c1 >/dev/null
	stave network rm lan
	network_teardown
	nothing_left
}

@test "names: containers of other networks are not found; several networks are asked at once" {
	stave network create net-a >/dev/null
	stave network create net-b >/dev/null
	stave run -d --name aa --network net-a busybox sleep "$MARK" >/dev/null
	stave run -d --name bb --network net-b busybox sleep "$MARK" >/dev/null
	run stave exec aa nslookup -type=a bb
	hasnt "$output" "Name:"
	stave run -d --name both --network net-a --network net-b busybox sleep "$MARK" >/dev/null
	has "$(stave exec both nslookup -type=a aa)" "Name:	aa"
	has "$(stave exec both nslookup -type=a bb)" "Name:	bb"
	# who joins one of them has its files
	run stave run --rm --network container:both busybox sh -c 'nslookup -type=a bb; cat /etc/hosts'
	has "$output" "Name:	bb"
	has "$output" "$(stave inspect --format '{{slice .Id 0 12}}' both)"
	stave rm -f aa bb both >/dev/null
	stave network rm net-a net-b
	nothing_left
}

@test "names: kill -9 of the monitor, of the foreground command and of the server itself" {
	stave network create lan >/dev/null
	stave run -d --name one --network lan busybox sleep "$MARK" >/dev/null
	web two --network lan
	settled servers_are 2
	kill -9 "${started[0]}"
	wait "${started[0]}" || true
	started=()
	run stave exec one nslookup -type=a two
	hasnt "$output" "Name:"
	kill -9 "$(jq .monitor "$STAVE_ROOT"/containers/*/state.json)"
	settled servers_are 0
	stave start one >/dev/null
	has "$(stave exec one nslookup -type=a one)" "Name:	one"
	pkill -9 -x -P "$(jq .monitor "$STAVE_ROOT"/containers/*/state.json)" stave-names
	run timeout 20 stave exec one nslookup -type=a one
	hasnt "$output" "Name:"
	stave restart -t 0 one >/dev/null
	has "$(stave exec one nslookup -type=a one)" "Name:	one"
	stave rm -f one >/dev/null
	stave network rm lan
	settled servers_are 0
	nothing_left
}
