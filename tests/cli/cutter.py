# SPDX-License-Identifier: Apache-2.0
"""A proxy that cuts connections: cutter.py PORT-FILE TARGET-PORT SEED."""
import random
import socket
import sys
import threading

rng = random.Random(int(sys.argv[3]))
lock = threading.Lock()


def pump(source, sink, budget):
    try:
        while True:
            data = source.recv(65536)
            with lock:
                budget[0] -= len(data)
                spent = budget[0] < 0
            if not data or spent:
                break
            sink.sendall(data)
    except OSError:
        pass
    how = socket.SHUT_RDWR if budget[0] < 0 else socket.SHUT_WR
    for s in (source, sink) if budget[0] < 0 else (sink,):
        try:
            s.shutdown(how)
        except OSError:
            pass


def main():
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(sys.argv[1], "w") as f:
        print(server.getsockname()[1], file=f)
    while True:
        client, _ = server.accept()
        up = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        with lock:
            budget = [rng.randrange(100_000, 30_000_000)]
        threading.Thread(target=pump, args=(client, up, budget), daemon=True).start()
        threading.Thread(target=pump, args=(up, client, budget), daemon=True).start()


main()
