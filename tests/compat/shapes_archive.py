# SPDX-License-Identifier: Apache-2.0
"""An archive as `docker save` writes it, with images whose every byte is known here.

The same archive is loaded by both, so that ids, sizes and histories are the same.
"""

import hashlib
import io
import json
import os
import tarfile
import time

MARK = "shapes"
BUSYBOX = "/bin/busybox"
MINUTE, HOUR, DAY = 60, 3600, 86400
# In the middle of what the words mean, so that they do not change between two commands.
AGES = {"two": 15 * DAY, "full": 100 * DAY, "bare": 0, "team": 3 * HOUR + 900, "lone": 40 * DAY,
        "lone2": 3 * DAY + 7000, "child": 95 * MINUTE, "one": 400 * DAY, "box": 10 * DAY, "unicode": 5 * MINUTE + 25}


def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.mtime = 1000000000
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content) if content else None)
    return out.getvalue()


BASE = layer([("etc/", None), ("etc/motd", b"hello\n" * 300), ("bin/", None), ("bin/big", b"b" * 123456)])
MORE = layer([("etc/", None), ("etc/more", b"m" * 1234567)])
EMPTY = layer([("var/", None)])


def box():
    """What a container needs to change files: busybox, and files to be changed."""
    with open(BUSYBOX, "rb") as f:
        busybox = f.read()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("bin/", "etc/", "tree/"):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1000000000
            tar.addfile(info)
        for name, data in (("bin/busybox", busybox), ("etc/gone", b"g"), ("etc/kept", b"k"), ("etc/motd", b"m\n"),
                           ("tree/old", b"o")):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o755 if name.startswith("bin") else 0o644, 1000000000
            tar.addfile(info, io.BytesIO(data))
        for name in ("sh", "cat", "chmod", "echo", "ln", "ls", "mkdir", "mkfifo", "rm", "test"):
            info = tarfile.TarInfo("bin/" + name)
            info.type, info.linkname, info.mode, info.mtime = tarfile.LNKTYPE, "bin/busybox", 0o755, 1000000000
            tar.addfile(info)
    return out.getvalue()


BOX = box() if os.path.exists(BUSYBOX) else None


def when(name):
    """Whole seconds and a part that is short when written."""
    t = time.gmtime(START - AGES[name])
    return time.strftime("%Y-%m-%dT%H:%M:%S", t) + ".123456789Z"


START = time.time()


def row(created, by, empty=False, **more):
    return {"created": created, "created_by": by, **({"empty_layer": True} if empty else {}), **more}


def classic(name):
    """The history of an image that the builder before BuildKit made."""
    t = when(name)
    return [
        row(t, "/bin/sh -c #(nop) ADD file:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef in / "),
        row(t, "/bin/sh -c #(nop)  CMD [\"sh\"]", True),
    ]


def images():
    """(name, names, config, layers)"""
    plain = {"architecture": "amd64", "os": "linux"}
    label = {"Labels": {MARK: "1"}}
    yield "one", ["shapes/one:latest", "shapes/one:1.0"], {
        **plain, "created": when("one"), "docker_version": "19.03.12", "container": "ab" * 32, "author": "Ann <ann@x.org>",
        "container_config": {"Hostname": "abc", "Cmd": ["/bin/sh", "-c", "#(nop) ", "CMD [\"sh\"]"]},
        "config": {"Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False,
                   "AttachStderr": False, "Tty": False, "OpenStdin": False, "StdinOnce": False,
                   "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["sh"], "Image": "sha256:" + "cd" * 32,
                   "Volumes": None, "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None},
        "history": classic("one")}, [BASE]
    yield "two", ["shapes/two:dev"], {
        **plain, "created": when("two"), "config": {"Cmd": ["a", "b"], **label},
        "history": classic("two") + [
            row(when("two"), "/bin/sh -c apt-get update\t&& apt-get install -y some-package another-package && rm -rf /var"),
            row(when("two"), "|1 A=b /bin/sh -c true", True, comment="a comment")]}, [BASE, MORE]
    yield "full", ["shapes/full:latest"], {
        **plain, "variant": "v3", "created": when("full"), "author": "A \"quoted\" <b&c>", "os.version": "1", "config": {
            "User": "app:staff", "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Env": ["A=1", "B=<x>&y", "C="],
            "Entrypoint": ["/bin/big", "--flag"], "Cmd": None, "Volumes": {"/data": {}, "/cache": {}}, "WorkingDir": "/work",
            "Labels": {MARK: "1", "org.x.y": "a b", "empty": "", "Z": "last", "a": "first"}, "StopSignal": "SIGUSR1",
            "OnBuild": ["RUN echo x", "COPY . /"], "ArgsEscaped": True, "Shell": ["/bin/bash", "-c"], "StopTimeout": 3,
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30000000000, "Timeout": 3000000000, "Retries": 3}},
        "history": [row(when("full"), "COPY / / # buildkit", comment="buildkit.dockerfile.v0"),
                    row(when("full"), "ENV A=1", True, comment="buildkit.dockerfile.v0", author="Someone"),
                    row(when("full"), "", True)]}, [BASE]
    yield "bare", ["shapes/bare:latest"], {**plain, "config": {}}, [EMPTY]
    yield "team", ["shapes.example:5000/team/app:v1", "shapes.example:5000/team/app:v2"], {
        **plain, "created": when("team"), "config": {"Env": None, "Cmd": [], "Labels": {}, "Entrypoint": []},
        "history": [row(when("team"), "bazel build ...", comment="", author="B")]}, [MORE]
    yield "lone", None, {**plain, "created": when("lone"), "config": label, "history": [row(when("lone"), "x")]}, [BASE]
    yield "lone2", None, {**plain, "created": when("lone2"), "config": label, "history": [row(when("lone2"), "y")]}, [EMPTY]
    yield "child", ["shapes/child:latest"], {
        **plain, "created": when("child"), "config": {"Cmd": ["sh"], "Labels": {MARK: "1", "child": "yes"}},
        "history": classic("child") + [row(when("child"), "/bin/sh -c more")]}, [BASE, MORE]
    yield "unicode", ["shapes/unicode:latest"], {
        **plain, "created": when("unicode"), "config": {"Labels": {MARK: "ü", "日本": "é\u2028\t\"\\"}},
        "history": [row(when("unicode"), "ÄÖÜ" * 40, comment="größe\tx"), row("2020-01-01T00:00:00Z", "line\nbreak", True)]}, [EMPTY]
    if BOX:
        yield "box", ["shapes/box:latest"], {
            **plain, "created": when("box"), "config": {
                "Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {MARK: "1", "box": "yes"}},
            "history": classic("box")}, [BOX]


def write(path):
    """Returns the ids by our short names."""
    files, manifest, ids = {}, [], {}
    for name, names, config, layers in images():
        diff_ids = ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]
        text = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
        ids[name] = hashlib.sha256(text).hexdigest()
        files[ids[name] + ".json"] = text
        for l in layers:
            files[hashlib.sha256(l).hexdigest() + "/layer.tar"] = l
        manifest.append({"Config": ids[name] + ".json", "RepoTags": names,
                         "Layers": [d[7:] + "/layer.tar" for d in diff_ids]})
    files["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return ids
