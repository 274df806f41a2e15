# SPDX-License-Identifier: Apache-2.0
"""Pulls and pushes over connections that are cut at random, and what that costs in bytes.

cuts.py STAVE REGISTRY-PORT IMAGE COUNT SEED DIRECTORY
  half of COUNT are pulls, each into a store of its own, half are pushes to a repository of its
  own, through a proxy that cuts each of them once or more; then some pushes to a registry that
  keeps what arrived of a cut upload.  IMAGE is in the store of the environment.

A transfer may say that it failed: then the same command again, ten times at most.
"""
import concurrent.futures
import hashlib
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request

STAVE, PORT, IMAGE, COUNT, SEED, DIRECTORY = sys.argv[1:7]
PORT, COUNT, SEED = int(PORT), int(COUNT), int(SEED)
RESUMED = 10
KINDS = ('application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json')


class Cutter:
    """A proxy for one transfer; `most` is how much of it moves in all if nothing is cut."""

    def __init__(self, seed, most, up):
        self.rng = random.Random(seed)
        self.most, self.up = most, up       # up: what matters goes to the registry
        self.left = self.rng.choice((1, 1, 2, 3))
        self.cuts = 0
        self.moved = self.wasted = 0        # bytes that way; those on connections that were cut
        self.lock = threading.Lock()
        self.server = socket.create_server(('127.0.0.1', 0), backlog=32)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            registry = socket.create_connection(('127.0.0.1', PORT))
            pair = [client, registry, None, 0]
            with self.lock:
                # most connections carry the one or the other layer: half of it all is often reached
                if self.left:
                    pair[2] = self.rng.randrange(300, self.most // 2)
            threading.Thread(target=self.pump, args=(pair, client, registry, self.up), daemon=True).start()
            threading.Thread(target=self.pump, args=(pair, registry, client, not self.up), daemon=True).start()

    def pump(self, pair, source, sink, counts):
        try:
            while data := source.recv(16384):
                if counts and (data := self.count(pair, data)) is None:
                    break
                sink.sendall(data)
                if counts and pair[2] == 0:
                    break
        except OSError:
            pass
        how = socket.SHUT_RDWR if pair[2] == 0 else socket.SHUT_WR
        for s in (source, sink) if pair[2] == 0 else (sink,):
            try:
                s.shutdown(how)
            except OSError:
                pass

    def count(self, pair, data):
        """What may still pass; the budget is 0 from the cut on."""
        with self.lock:
            if pair[2] is not None:
                if not self.left:
                    pair[2] = None
                elif len(data) >= pair[2]:
                    data, pair[2] = data[:pair[2]], 0
                    self.left -= 1
                    self.cuts += 1
                    self.wasted += pair[3] + len(data)
                else:
                    pair[2] -= len(data)
            pair[3] += len(data)
            self.moved += len(data)
        return data


class Keeper(http.server.BaseHTTPRequestHandler):
    """A registry by the book that keeps cut uploads, and cuts them itself."""
    protocol_version = 'HTTP/1.1'
    blobs, sessions, lock = {}, {}, threading.Lock()
    received = asked = 0
    rng = random.Random(SEED)

    def log_message(self, *args):
        pass

    def answer(self, status, body=b'', **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def session(self):
        return self.path.split('?')[0].rsplit('/', 1)[1]

    def progress(self, status):
        have = self.sessions[self.session()]
        self.answer(status, Location=self.path.split('?')[0], Range=f'0-{max(len(have) - 1, 0)}')

    def do_GET(self):
        if self.path == '/v2/':
            self.answer(200, b'{}')
        elif '/uploads/' in self.path:
            type(self).asked += 1
            self.progress(204)
        else:
            self.answer(404)

    def do_HEAD(self):
        self.answer(200 if self.path.rsplit('/', 1)[1] in self.blobs else 404)

    def do_POST(self):
        name = f'{random.getrandbits(64):x}'
        self.sessions[name] = bytearray()
        self.answer(202, Location=self.path + name)

    def body(self, into, cut):
        left = int(self.headers['Content-Length'])
        while left:
            data = self.rfile.read1(min(left, 65536)) if cut is None else self.rfile.read(min(left, cut, 65536))
            if not data:
                break
            into += data
            with self.lock:
                type(self).received += len(data)
            left -= len(data)
            if cut is not None and (cut := cut - len(data)) <= 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return False
        return True

    def do_PATCH(self):
        have = self.sessions[self.session()]
        begin = int((self.headers['Content-Range'] or '0-').split('-')[0])
        if begin != len(have):
            self.progress(416)
            return
        # every upload is cut once, and some twice
        left = int(self.headers['Content-Length'])
        cut = self.rng.randrange(1, left) if begin == 0 or self.rng.random() < 0.3 else None
        if self.body(have, cut):
            self.progress(202)

    def do_PUT(self):
        have = bytearray() if '/manifests/' in self.path else self.sessions.pop(self.session())
        self.body(have, None)
        digest = 'sha256:' + hashlib.sha256(have).hexdigest()
        if '/manifests/' not in self.path and digest not in self.path.replace('%3A', ':'):
            self.answer(400)
            return
        self.blobs[digest] = len(have)
        self.answer(201, Docker_Content_Digest=digest)


def stave(*words, store=None):
    env = dict(os.environ, STAVE_ROOT=store) if store else None
    return subprocess.run([STAVE, *words], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until_done(*words, store=None):
    """How many commands it took."""
    for n in range(1, 11):
        result = stave(*words, store=store)
        if result.returncode == 0:
            return n
    raise SystemExit(f'{" ".join(words)} does not come to an end:\n{result.stdout}')


def must(*words, store=None):
    result = stave(*words, store=store)
    if result.returncode != 0:
        raise SystemExit(f'{" ".join(words)}:\n{result.stdout}')
    return result.stdout.strip()


def size_of(repository):
    """Bytes of an image's blobs, as its manifest says."""
    request = urllib.request.Request(f'http://127.0.0.1:{PORT}/v2/{repository}/manifests/latest',
                                     headers={'Accept': ', '.join(KINDS)})
    manifest = json.load(urllib.request.urlopen(request))
    return sum(d['size'] for d in [manifest['config'], *manifest['layers']])


def pull(n, most, want):
    cutter = Cutter(SEED * 10007 + n, most, up=False)
    store = f'{DIRECTORY}/store{n}'
    runs = until_done('pull', '-q', f'localhost:{cutter.port}/cuts', store=store)
    have = must('inspect', '--format', '{{.Id}}', f'localhost:{cutter.port}/cuts', store=store)
    if have != want:
        raise SystemExit(f'pull {n}: another image came')
    if n % 20 == 0:
        must('system', 'check', store=store)
    cutter.server.close()
    shutil.rmtree(store)
    return runs, cutter


def push(n, most, want):
    cutter = Cutter(SEED * 10007 + n, most, up=True)
    name = f'localhost:{cutter.port}/cut{n}'
    must('tag', IMAGE, name)
    runs = until_done('push', '-q', name)
    if size_of(f'cut{n}') != most:
        raise SystemExit(f'push {n}: another image went')
    cutter.server.close()
    must('rmi', name)
    return runs, cutter


def report(what, results, most):
    cuts = sum(c.cuts for _, c in results)
    extra = sum(c.moved for _, c in results) / (most * len(results)) - 1
    print(f'{what}: {len(results)}, cut {cuts} times, {sum(runs for runs, _ in results)} commands, '
          f'{extra:.1%} more bytes than needed')
    if any(not c.cuts for _, c in results):
        raise SystemExit(f'{what}: some were not cut')
    return extra


def resumed():
    """An image of one layer of 9 MB, to a registry that goes on where it was."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = f'localhost:{server.server_address[1]}/kept'
    must('tag', IMAGE + '-large', name)
    sizes = 0
    for n in range(RESUMED):
        Keeper.blobs.clear()
        must('push', '-q', f'{name}')
        sizes += sum(Keeper.blobs.values())
    extra = Keeper.received / sizes - 1
    print(f'resumed pushes: {RESUMED}, asked {Keeper.asked} times how much has arrived, {extra:.1%} more bytes than needed')
    if Keeper.asked < RESUMED or extra > 0.03:
        raise SystemExit('a cut upload was sent again from its beginning')


def main():
    print(f'seed {SEED}')
    name = f'localhost:{PORT}/cuts'
    must('tag', IMAGE, name)
    must('push', '-q', name)
    most, want = size_of('cuts'), must('inspect', '--format', '{{.Id}}', IMAGE)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pulls = list(pool.map(lambda n: pull(n, most, want), range(COUNT // 2)))
        pushes = list(pool.map(lambda n: push(n, most, want), range(COUNT // 2, COUNT)))
    if report('pulls', pulls, most) > 0.05:
        raise SystemExit('bytes that had come were fetched again')
    report('pushes', pushes, most)
    # docker-registry forgets what it has of a cut upload: but nothing else is sent again
    if sum(c.moved - c.wasted for _, c in pushes) > 1.05 * most * len(pushes):
        raise SystemExit('blobs that had arrived were sent again')
    resumed()


main()
