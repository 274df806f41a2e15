# SPDX-License-Identifier: Apache-2.0
"""A registry that lies: each repository has a lie of its own.

liar.py PORT-FILE RECORD: serves on two ports of this machine (the second one
is "another host") and writes to RECORD what it was asked: port, method, path,
Authorization, Range.
"""
import gzip
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading
import time

OCI = "application/vnd.oci.image."
MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"
CONFIG, LAYER = OCI + "config.v1+json", OCI + "layer.v1.tar+gzip"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(name, size):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = size
        t.addfile(info, io.BytesIO(noise(size)))
    return out.getvalue()


def noise(size):
    """Bytes that do not pack, and are the same each time."""
    out = bytearray()
    block = b"stave"
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block
    return bytes(out[:size])


class Image:
    def __init__(self, lie):
        size = 6_000_000 if lie in ("cut", "once", "deaf") else 50_000
        tar = tar_of("../../escaped" if lie == "escape" else "file", size)
        self.layer = gzip.compress(tar, mtime=0)
        ids = [digest(b"x") if lie == "diff-id" else digest(tar)]
        if lie == "more-layers":
            ids.append(ids[0])
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": ids}}).encode()
        length = {"smaller": len(self.layer) - 1000, "larger": len(self.layer) + 1000,
                  "immense": 1 << 60}.get(lie, len(self.layer))
        doc = {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "text/plain" if lie == "config-type" else CONFIG,
                       "digest": digest(self.config), "size": len(self.config)},
            "layers": [{"mediaType": "text/html" if lie == "layer-type" else LAYER,
                        "digest": digest(self.layer), "size": length}]}
        if lie == "many-layers":
            doc["layers"] = doc["layers"] * 2000
        self.manifest = json.dumps(doc).encode()
        self.type = MANIFEST
        self.below = {}
        if lie == "deep":
            for _ in range(10):
                self.below[digest(self.manifest)] = (self.manifest, self.type)
                self.manifest = json.dumps({
                    "schemaVersion": 2, "mediaType": INDEX, "manifests": [{
                        "mediaType": self.type, "digest": digest(self.manifest),
                        "size": len(self.manifest)}]}).encode()
                self.type = INDEX
        if lie == "not-json":
            self.manifest = b'{"schemaVersion": 2,'
        if lie == "page":
            self.manifest = b"<html>please log in to this hotel's network</html>"
        if lie == "schema1":
            self.manifest = b'{"schemaVersion": 1, "name": "x", "fsLayers": []}'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    images = {}
    seen = {}
    lock = threading.Lock()
    record = None
    ports = []

    def log_message(self, *args):
        pass

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        """An upload goes to a file."""
        self.send(202, Location="file:///upload")

    def do_GET(self):
        try:
            self.answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self):
        port = self.server.server_address[1]
        with self.lock:
            print(port, self.command, self.path, self.headers.get("Authorization", "-"),
                  self.headers.get("Range", "-"), file=self.record, flush=True)
        words = self.path.split("?")[0].split("/")
        if self.path.startswith("/token"):
            self.send(200, json.dumps({"token": "t0ken"}).encode())
        elif self.path.startswith("/away"):
            self.send(307, Location=f"http://127.0.0.1:{self.ports[1]}/token")
        elif self.path == "/v2/":
            self.send(200, b"{}")
        elif port == self.ports[1]:
            self.send(200, self.image("plain").layer)
        elif len(words) == 5 and words[1] == "v2":
            self.repository(words[2], words[3], words[4])
        else:
            self.send(404)

    def image(self, lie):
        with self.lock:
            if lie not in self.images:
                self.images[lie] = Image(lie)
            return self.images[lie]

    def times(self, what):
        with self.lock:
            self.seen[what] = self.seen.get(what, 0) + 1
            return self.seen[what]

    def repository(self, lie, kind, name):
        image = self.image(lie)
        realms = {"realm-file": "file:///etc/passwd",
                  "realm-plain": "http://192.0.2.1/token",
                  "realm-away": f"http://localhost:{self.ports[0]}/away",
                  "never-enough": f"http://localhost:{self.ports[0]}/token"}
        if lie in realms:
            self.send(401, WWW_Authenticate=f'Bearer realm="{realms[lie]}",service="s"')
        elif lie == "token" and self.headers.get("Authorization") != "Bearer t0ken":
            self.send(401, WWW_Authenticate='Bearer realm="http://localhost:'
                      f'{self.ports[0]}/token",service="it",scope="repository:token:pull"')
        elif lie == "strange-auth":
            self.send(401, WWW_Authenticate="Negotiate")
        elif lie == "upload" and self.command == "HEAD":
            self.send(404)
        elif lie == "basic" and not self.headers.get("Authorization"):
            self.send(401, WWW_Authenticate='Basic realm="x"')
        elif lie == "busy":
            self.send(503, Retry_After="1")
        elif lie == "once" and self.times((lie, self.path)) == 1:
            self.send(429, Retry_After="1")
        elif lie == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"X-More: " + b"y" * 1000 + b"\r\n")
        elif kind == "tags":
            self.tags(lie)
        elif kind == "referrers" and lie in ("many-referrers", "large-referrers"):
            self.endless_referrers(lie)
        elif kind == "referrers":
            # what refers to an image: itself
            self.send(200, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
                {"mediaType": MANIFEST, "digest": digest(image.manifest), "size": len(image.manifest)}]}).encode())
        elif kind == "manifests":
            self.manifest(lie, image, name)
        elif name == digest(image.config):
            self.send(200, b"{}" + image.config[2:] if lie == "config-bytes" else image.config)
        else:
            self.blob(lie, image.layer)

    def tags(self, lie):
        """Two a page; the pages of "tags-forever" never end, those of "tags-away" go on elsewhere, and
        those of "tags-file" in a file."""
        at = int(self.path.partition("last=")[2] or 0)
        where = f"http://127.0.0.2:{self.ports[1]}" if lie == "tags-away" else "file://" if lie == "tags-file" else ""
        link = f'<{where}/v2/{lie}/tags/list?n=2&last={at + 2}>; rel="next"'
        more = {"Link": link} if at < 4 or lie == "tags-forever" else {}
        self.send(200, json.dumps({"name": lie, "tags": [f"t{at}", f"t{at + 1}"]}).encode(), **more)

    def endless_referrers(self, lie):
        """Pages of a thousand small ones, or of a large one."""
        note = "x" * (3 << 20 if lie == "large-referrers" else 1)
        one = {"mediaType": MANIFEST, "digest": digest(b"x"), "size": 1, "annotations": {"a": note}}
        page = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [one] * (1 if len(note) > 1 else 1000)}
        self.send(200, json.dumps(page).encode(), Link=f'<{self.path}>; rel="next"')

    def manifest(self, lie, image, name):
        body, kind = image.below.get(name, (image.manifest, image.type))
        if lie == "type":
            kind = INDEX
        said = digest(b"z") if lie == "digest-header" else digest(body)
        if lie == "giant":
            body = b" " * (64 << 20)
        if lie == "endless-manifest":
            self.endless(200)
        elif lie == "error-page":
            self.endless(500)
        elif lie == "silent":
            time.sleep(60)
        else:
            self.send(200, body, Content_Type=kind, Docker_Content_Digest=said)

    def endless(self, status):
        self.send(status, Transfer_Encoding="chunked", Content_Type=MANIFEST)
        while True:
            self.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    def blob(self, lie, layer):
        me, other = self.ports
        to = {"redirect-file": "file:///etc/passwd", "redirect-gopher": "gopher://localhost/",
              "redirect-loop": self.path, "redirect-user": "http://u:p@localhost/",
              "redirect-port": "http://localhost:99999/",
              "redirect": f"http://127.0.0.1:{other}/layer", "basic":
              f"http://127.0.0.1:{other}/layer"}
        if lie in to:
            self.send(307, Location=to[lie])
        elif lie == "bytes":
            self.send(200, layer[:-1] + bytes([layer[-1] ^ 1]))
        elif lie == "short":
            self.send(200, layer[:100])
        elif lie == "endless":
            self.endless(200)
        elif lie == "gone":
            self.send(404, json.dumps({"errors": [
                {"code": "BLOB_UNKNOWN", "message": "blob\x1b[31m unknown"}]}).encode())
        elif lie == "broken":
            self.send(200, layer[:1000], Content_Length=str(len(layer)))
            self.close_connection = True
        elif lie == "drip":
            self.send(200, Content_Length=str(len(layer)))
            for i in range(60):
                self.wfile.write(layer[i:i + 1])
                time.sleep(1)
        else:
            self.ranged(lie, layer)

    def ranged(self, lie, layer):
        start, text = 0, self.headers.get("Range")
        if text and lie != "deaf":
            start = int(text[len("bytes="):-1])
        end = len(layer)
        if lie in ("cut", "deaf") and (lie == "cut" or self.times(self.path) == 1):
            end = min(end, start + 1_400_000)
        more = {"Content_Range": f"bytes {start}-{len(layer) - 1}/{len(layer)}"} if start else {}
        self.send(206 if start else 200, layer[start:end], **more,
                  Content_Length=str(len(layer) - start))
        self.close_connection = end < len(layer)


def main():
    Handler.record = open(sys.argv[2], "w")
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    Handler.ports = [s.server_address[1] for s in servers]
    for s in servers:
        s.daemon_threads = True
        s.handle_error = lambda *args: None
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    with open(sys.argv[1], "w") as f:
        print(*Handler.ports, file=f)
    servers[0].serve_forever()


main()
