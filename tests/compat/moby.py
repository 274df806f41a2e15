# SPDX-License-Identifier: Apache-2.0
"""Cases out of a checkout of moby/moby: the Dockerfiles of its command-line tests.

Each build.WithDockerfile(`…`) and build.WithBuildContext(c, build.WithFile(…) …)
in integration-cli/docker_cli_build*_test.go is one case, with the flags of
its cli.WithFlags().  Texts that are computed are left out.
"""

import os
import re

STRING = re.compile(r'`[^`]*`|"(?:[^"\\\n]|\\.)*"')
BUILD = re.compile(r"(?:cli\.BuildCmd|buildImageSuccessfully|buildImage|cli\.Docker)\(")
KNOWN = {"minimalBaseImage()": "scratch"}


def call_text(text, start):
    """The arguments of the call whose "(" ends at `start`."""
    depth, i = 1, start
    while i < len(text) and depth:
        m = STRING.match(text, i)
        if m:
            i = m.end()
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(text[i], 0)
        i += 1
    return text[start:i - 1]


def arguments(text):
    """Splits at the commas of the outermost level."""
    parts, depth, i, begin = [], 0, 0, 0
    while i < len(text):
        m = STRING.match(text, i)
        if m:
            i = m.end()
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(text[i], 0)
        if text[i] == "," and not depth:
            parts.append(text[begin:i].strip())
            begin = i + 1
        i += 1
    parts.append(text[begin:].strip())
    return [p for p in parts if p]


def value(expression, names):
    """The string that an expression of literals, + and known names gives, or None."""
    out, i = "", 0
    while i < len(expression):
        m = STRING.match(expression, i)
        if m:
            literal = m[0]
            out += literal[1:-1] if literal[0] == "`" else literal[1:-1].encode().decode("unicode_escape")
            i = m.end()
            continue
        m = re.match(r"[\s+]+|[\w.]+(?:\(\))?", expression[i:])
        if not m:
            return None
        word = m[0]
        if word.strip(" \t\n+"):
            if word not in KNOWN and word not in names:
                return None
            out += KNOWN.get(word, names.get(word))
        i += m.end()
    return out


def constants(function):
    """name := "text" and const name = "text" of one function."""
    return {m[1]: value(m[2], {}) for m in re.finditer(
        r"(?:const\s+)?(\w+)\s*:?=\s*(`[^`]*`|\"(?:[^\"\\\n]|\\.)*\")\s*\n", function)}


def files_of(parts, names):
    files = {}
    for part in parts:
        m = re.match(r"build\.(WithDockerfile|WithBuildContext|WithFile)\(", part)
        if not m:
            continue
        inner = arguments(call_text(part, m.end()))
        if m[1] == "WithDockerfile":
            files["Dockerfile"] = value(inner[0], names)
        elif m[1] == "WithFile":
            files[value(inner[0], names)] = value(inner[1], names)
        else:
            files.update(files_of(inner[1:], names))
    return files


def options_of(parts, names):
    options = []
    for part in parts:
        m = re.match(r"cli\.WithFlags\(", part)
        if m:
            options += [value(a, names) for a in arguments(call_text(part, m.end()))]
    return options


def all_cases(checkout):
    directory = os.path.join(checkout, "integration-cli")
    for source in ("docker_cli_build_test.go", "docker_cli_build_unix_test.go"):
        with open(os.path.join(directory, source)) as f:
            text = f.read()
        for function in re.split(r"\n(?=func )", text):
            head = re.match(r"func \(s \*DockerCLI\w+\) Test(\w+)\(", function)
            if not head:
                continue
            names, number = constants(function), 0
            for m in BUILD.finditer(function):
                parts = arguments(call_text(function, m.end()))
                files, options = files_of(parts, names), options_of(parts, names)
                if "Dockerfile" not in files or None in options or None in files or None in files.values():
                    continue
                number += 1
                yield ("%s-%d" % (head[1], number),
                       [("file", n, t, 0o644) for n, t in files.items()], options)
