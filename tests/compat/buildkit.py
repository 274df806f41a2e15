# SPDX-License-Identifier: Apache-2.0
"""Cases out of a checkout of moby/buildkit: its Dockerfile integration tests.

The tests are Go functions that write files, then ask for a solve.  Their
texts are read here, not run: each `dockerfile := []byte(`…`)`, the files of
the integration.Tmpdir() that follows, and the build arguments and the target
of the next Solve().  Tests whose Dockerfile is computed (%s) are left out.
"""

import os
import re

TOKEN = re.compile(
    r'dockerfile\s*:?=\s*\[\]byte\((?P<text>(?:integration\.UnixOrWindows\(\s*)?)`(?P<raw>[^`]*)`'
    r'|(?P<tmp>integration\.Tmpdir\()'
    r'|fstest\.CreateFile\("(?P<file>[^"]+)",\s*(?:\[\]byte\((?P<content>`[^`]*`|"(?:[^"\\]|\\.)*")\)|(?P<variable>\w+|nil)),\s*(?P<mode>0\w*)\)'
    r'|fstest\.CreateDir\("(?P<dir>[^"]+)",\s*(?P<dirmode>0\w*)\)'
    r'|fstest\.Symlink\("(?P<to>[^"]+)",\s*"(?P<link>[^"]+)"\)'
    r'|"build-arg:(?P<arg>[^"]+)":\s*"(?P<value>[^"]*)"'
    r'|"target":\s*"(?P<target>[^"]*)"'
    r'|"label:(?P<label>[^"]+)":\s*"(?P<labelvalue>[^"]*)"'
    r'|(?P<odd>"(?:context|platform|filename|cmdline|force-network-mode|no-cache|add-hosts)[^"]*":)'
    r'|(?P<solve>f\.Solve\()'
    r'|(?P<end>\n\t\}, nil\))')


def unquote(literal):
    if literal.startswith("`"):
        return literal[1:-1]
    return literal[1:-1].encode().decode("unicode_escape")


def octal(text):
    return int(text[2:] if text.startswith("0o") else text, 8)


class Reader:
    """Follows one test function; gives (files, options) at each Solve."""

    def __init__(self):
        self.dockerfile = None
        self.files = []
        self.options = None
        self.odd = False

    def see(self, m):
        kind = m.lastgroup
        if m["raw"] is not None:
            self.dockerfile = m["raw"]
        elif m["tmp"]:
            self.files = []
        elif m["file"]:
            content = m["content"]
            if content is None and m["variable"] == "dockerfile" and self.dockerfile is not None:
                text = self.dockerfile
            elif content is not None:
                text = unquote(content)
            elif m["variable"] == "nil":
                text = ""
            else:
                return
            self.files.append(("file", m["file"], text, octal(m["mode"])))
        elif m["dir"]:
            self.files.append(("dir", m["dir"], None, octal(m["dirmode"])))
        elif m["link"]:
            self.files.append(("link", m["link"], m["to"], 0))
        elif m["solve"]:
            self.options, self.odd = [], False
        elif self.options is None:
            return
        elif m["arg"]:
            self.options += ["--build-arg", "%s=%s" % (m["arg"], m["value"])]
        elif m["target"] is not None:
            self.options += ["--target", m["target"]]
        elif m["label"]:
            self.options += ["--label", "%s=%s" % (m["label"], m["labelvalue"])]
        elif m["odd"]:
            self.odd = True
        elif kind == "end":
            return self.finish()

    def finish(self):
        options, self.options = self.options, None
        names = [name for _, name, _, _ in self.files]
        if self.odd or "Dockerfile" not in names:
            return None
        text = self.files[names.index("Dockerfile")][2]
        return None if "%s" in text.split("\n", 3)[1 if text.startswith("\n") else 0] else (list(self.files), options)


def all_cases(checkout):
    directory = os.path.join(checkout, "frontend/dockerfile")
    for source in sorted(os.listdir(directory)):
        if not source.endswith("_test.go"):
            continue
        with open(os.path.join(directory, source)) as f:
            text = f.read()
        for function in re.split(r"\n(?=func )", text):
            head = re.match(r"func (?:Test|test)(\w+)\(", function)
            if not head:
                continue
            reader, number = Reader(), 0
            for m in TOKEN.finditer(function):
                found = reader.see(m)
                if found:
                    number += 1
                    yield ("%s-%d" % (head[1], number),) + found
