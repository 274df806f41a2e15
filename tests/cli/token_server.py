# SPDX-License-Identifier: Apache-2.0
"""A token server (Docker's token authentication, and its OAuth2 form) for docker-registry.

token_server.py PORT-FILE RECORD KEY CERTIFICATE [REGISTRY]: signs with KEY.  Who is ann with the password secret, or has the refresh token r3fresh, may do
what is asked for; others may pull below public/.  RECORD gets a line for each request: method,
Authorization, scopes.  With REGISTRY it also forwards what is asked of /v2/, with one challenge
more, and the first token that comes by is over after three requests.
"""
import base64
import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

GOOD_FOR = 3


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.Lock()
    first = None
    uses = 0

    def log_message(self, *args):
        pass

    def send(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def sign(self, scopes):
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        claims = {"iss": "issuer", "sub": "", "aud": "registry", "iat": now, "nbf": now - 10,
                  "exp": now + 300, "jti": str(time.time()), "access": access}
        text = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                                   stdout=subprocess.PIPE, check=True).stdout
        return text + "." + b64(signature)

    def token(self, fields, known):
        scopes = [one for scope in fields.get("scope", []) for one in scope.split(" ") if one]
        with self.lock:
            print(self.command, self.headers.get("Authorization", "-"), *scopes, file=self.record, flush=True)
        if not known:
            scopes = [s for s in scopes if s.startswith("repository:public/") and s.endswith(":pull")]
        if not known and (self.headers.get("Authorization") or self.command == "POST"):
            self.send(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}')
            return
        name = "access_token" if self.command == "POST" else "token"
        self.send(200, json.dumps({name: self.sign(scopes), "expires_in": 60}).encode())

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/token":
            self.forward()
            return
        known = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"ann:secret").decode()
        self.token(urllib.parse.parse_qs(url.query), known)

    do_HEAD = do_GET

    def do_POST(self):
        fields = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.token(fields, fields.get("refresh_token") == ["r3fresh"])

    def is_over(self, token):
        with self.lock:
            Handler.first = self.first or token
            Handler.uses += token == self.first
            return token == self.first and self.uses > GOOD_FOR

    def forward(self):
        headers = {n: self.headers[n] for n in ("Accept", "Authorization", "Range") if n in self.headers}
        if "Authorization" in headers and self.is_over(headers["Authorization"]):
            time.sleep(0.3)  # the others come meanwhile
            del headers["Authorization"]
        request = urllib.request.Request(f"http://{self.registry}{self.path}", headers=headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as e:
            answer = e
        kept = [(n, 'Basic realm="other, place", ' + v if n == "Www-Authenticate" else v)
                for n, v in answer.headers.items() if n not in ("Connection", "Transfer-Encoding")]
        self.send(answer.status, answer.read(), kept)


def main():
    port_file, record, Handler.key, certificate = sys.argv[1:5]
    Handler.registry = sys.argv[5] if len(sys.argv) > 5 else ""
    Handler.record = open(record, "a", encoding="utf-8")
    lines = open(certificate, encoding="utf-8").read().split("\n")
    Handler.certificate = "".join(line for line in lines if line and not line.startswith("-"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(port_file, "w", encoding="utf-8") as f:
        f.write(str(server.server_address[1]))
    server.serve_forever()


main()
