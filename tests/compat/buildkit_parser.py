# SPDX-License-Identifier: Apache-2.0
"""The comparison of buildkit_parser.sh: reads the tables of the Go tests and asks the probe.

Each case is agreed, a difference that docs/compat.md wants, or a failure.
"""

import glob
import json
import os
import re
import subprocess
import sys

TOKEN = re.compile(r'//[^\n]*|`([^`]*)`|"((?:[^"\\]|\\.)*)"|([A-Za-z_][\w.]*)|(\d+)|([{}\[\](),:&*+])|\s+')


class Ident(str):
    pass


def tokens(text):
    out, at = [], 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            out.append(("?", text[at]))
            at += 1
            continue
        at = m.end()
        if m.group(1) is not None:
            out.append(("s", m.group(1)))
        elif m.group(2) is not None:
            out.append(("s", go_string(m.group(2))))
        elif m.group(3):
            out.append(("i", m.group(3)))
        elif m.group(4):
            out.append(("n", int(m.group(4))))
        elif m.group(5):
            out.append(("p", m.group(5)))
    return out


def go_string(s):
    return re.sub(r'\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)',
                  lambda m: {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "b": "\b", "v": "\v"}.get(m.group(1))
                  or (chr(int(m.group(1)[1:], 16)) if len(m.group(1)) > 1 else m.group(1)), s)


class Literals:
    """Values of Go's composite literals: lists, dicts, strings, numbers, names."""

    def __init__(self, text):
        self.t, self.k = tokens(text), 0

    def peek(self):
        return self.t[self.k] if self.k < len(self.t) else ("", "")

    def value(self):
        kind, v = self.peek()
        while kind in ("i", "p") and v not in "{}":  # a type in front of its braces
            if kind == "i" and v in ("nil", "true", "false"):
                self.k += 1
                return {"nil": None, "true": True, "false": False}[v]
            if v in (",", ":", ")"):
                return None
            self.k += 1
            if v == "struct" and self.t[self.k:self.k + 2] == [("p", "{"), ("p", "}")]:
                self.k += 2
            if kind == "i" and self.peek() == ("p", "("):  # a call: its arguments do not matter
                while self.peek() != ("p", ")"):
                    self.k += 1
                self.k += 1
                return Ident(v)
            if kind == "i" and self.peek() in (("p", ","), ("p", "}"), ("p", ":")):
                return Ident(v)
            kind, v = self.peek()
        self.k += 1
        if kind in ("s", "n"):
            while self.peek() == ("p", "+"):
                self.k += 1
                v += self.value()
            return v
        if v == "{":
            return self.braces()
        return None

    def braces(self):
        items, pairs = [], {}
        while self.peek() != ("p", "}"):
            if self.k >= len(self.t):
                raise ValueError("a literal has no end")
            v = self.value()
            if self.peek() == ("p", ":"):
                self.k += 1
                pairs[v] = self.value()
            else:
                items.append(v)
            if self.peek() == ("p", ","):
                self.k += 1
        self.k += 1
        return pairs if pairs else items


def literal(text, anchor, start=0):
    """The literal that begins behind the match of @anchor, which ends at its brace."""
    m = re.compile(anchor, re.S).search(text, start)
    if not m:
        raise ValueError("no %s" % anchor)
    return Literals("{" + text[m.end():]).value()


def function(text, name):
    m = re.search(r"^func %s\(.*?^}" % name, text, re.S | re.M)
    if not m:
        raise ValueError("no function %s" % name)
    return m.group(0)


class Probe:
    def __init__(self, program):
        self.program = program

    def ask(self, *words, text=b""):
        r = subprocess.run([self.program] + [os.fsencode(w) for w in words], input=text, capture_output=True,
                           timeout=20, check=False)
        if r.returncode not in (0, 1):
            raise RuntimeError("the probe ended with %d for %r" % (r.returncode, words))
        return r.returncode == 0, r.stdout.decode(errors="surrogateescape"), r.stderr.decode(errors="replace").strip()

    def strings(self, *words):
        ok, out, err = self.ask(*words)
        return [json.loads(s) for s in out.splitlines()] if ok else None, err

    def tree(self, text):
        ok, out, err = self.ask("tree", text=text if isinstance(text, bytes) else text.encode())
        return (read_sexp(out) if ok else None), err


def read_sexp(text, string=json.loads):
    stack = [[]]
    for m in re.finditer(r'"((?:[^"\\]|\\.)*)"|([()])|([^\s()"]+)', text):
        if m.group(2) == "(":
            stack.append([])
        elif m.group(2):
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(string(m.group(0)) if m.group(1) is not None else Ident(m.group(3)))
    return stack[0][0]


def instructions(tree):
    for node in tree[1:]:
        if node[0] == "stage":
            yield from (n for n in node if isinstance(n, list) and n[0].isupper())
        elif node[0].isupper():
            yield node


def part(node, name):
    return [n for n in node if isinstance(n, list) and n and n[0] == name]


def canonical(node):
    """(name, arguments) as BuildKit's dump has them, without its marks of KEY=VALUE."""
    name, rest = node[0].lower(), node[2:]
    onbuild = [n for n in rest if isinstance(n, list) and isinstance(n[0], Ident) and n[0].isupper()]
    if name == "onbuild":
        return (name, canonical(onbuild[0]) if onbuild else None)
    args, skip = [], False
    for k, n in enumerate(rest):
        if skip:
            skip = False
        elif isinstance(n, Ident):
            skip = n.startswith("--")
            if n == "none":
                args.append("NONE")
        elif isinstance(n, list):
            if not isinstance(n[0], Ident):  # a pair
                args.append("=".join(n) if name == "arg" else tuple(n))
        else:
            args.append(n)
    if name == "healthcheck" and args != ["NONE"]:
        args.insert(0, "CMD")
    return (name, args)


def dumped(line):
    """The same of a line of BuildKit's dump."""
    node = read_sexp(re.sub(r'^\((\w+) \[[^]]*\]', r"(\1", line), lambda quoted: go_string(quoted[1:-1]))
    name, args = str(node[0]), node[1:]
    if name == "onbuild":
        return (name, dumped_node(args[0]))
    return dumped_node(node)


def dumped_node(node):
    name, args = str(node[0]), node[1:]
    if name in ("env", "label"):
        args = [(args[k], args[k + 1]) for k in range(0, len(args), 3)]
    return (name, args)


class Score:
    def __init__(self, verbose):
        self.verbose, self.suites, self.wanted, self.failed = verbose, {}, [], []
        self.suite = ""

    def note(self, ok, what, detail="", wanted=None):
        counts = self.suites.setdefault(self.suite, [0, 0, 0])
        if ok:
            counts[0] += 1
        elif wanted:
            counts[1] += 1
            self.wanted.append("%s: %s: %s" % (self.suite, what, wanted))
        else:
            counts[2] += 1
            self.failed.append("%s: %s: %s" % (self.suite, what, detail))

    def report(self):
        for name, (good, wanted, bad) in self.suites.items():
            print("%-34s %3d agree, %d wanted differences, %d fail" % (name, good, wanted, bad))
        if self.verbose:
            for line in self.wanted:
                print("wanted  " + line)
        for line in self.failed:
            print("FAIL    " + line)
        total = [sum(s[k] for s in self.suites.values()) for k in range(3)]
        print("score: %d of %d agree, %d wanted differences, %d fail"
              % (total[0], sum(total), total[1], total[2]))
        return 1 if total[2] else 0


# What BuildKit's parser takes and the next stage of it refuses, as we do at once.
REFUSED_LATER = re.compile(r"unknown flag|requires at least one|missing command|unknown type|no build stage")


def testfiles(p, s, root):
    s.suite = "parser/testfiles"
    for path in sorted(glob.glob(root + "/parser/testfiles/*/Dockerfile")):
        name = os.path.basename(os.path.dirname(path))
        with open(path, "rb") as f:
            text = f.read()
        with open(os.path.dirname(path) + "/result", encoding="utf-8") as f:
            want = [dumped(line) for line in f.read().splitlines() if line]
        tree, err = p.tree(text)
        if tree is None and "no build stage" in err:
            want.insert(0, ("from", ["scratch"]))
            tree, err = p.tree(b"FROM scratch\n" + text)
        if tree is None and "zero byte" in err:
            s.note(False, name, err, wanted="a zero byte is in no argument")
            want = [(n, [a.replace("\0", "") for a in args]) for n, args in want]
            tree, err = p.tree(b"FROM scratch\n" + text.replace(b"\\u0000", b""))
        if tree is None and REFUSED_LATER.search(err):
            each_line(p, s, name, text.decode())
            continue
        have = [canonical(n) for n in instructions(tree)] if tree else err
        s.note(have == want, name, "%s is not %s" % (first_difference(have, want)))
    s.suite = "parser/testfiles-negative"
    for path in sorted(glob.glob(root + "/parser/testfiles-negative/*/Dockerfile")):
        with open(path, "rb") as f:
            tree, _ = p.tree(f.read())
        s.note(tree is None, os.path.basename(os.path.dirname(path)), "accepted")
    s.suite = "parser/testfile-line"
    with open(root + "/parser/testfile-line/Dockerfile", "rb") as f:
        tree, err = p.tree(f.read())
    with open(root + "/parser/parser_test.go", encoding="utf-8") as f:
        want = literal(f.read(), r"expected := \[\]\[\]int{")
    have = [[int(x) for x in (n[1].split("-") * 2)[:2]] for n in instructions(tree)] if tree else err
    s.note(have == want, "lines", "%s" % have)


def first_difference(have, want):
    if isinstance(have, str):
        return have, "accepted"
    for h, w in zip(have, want):
        if h != w:
            return h, w
    return have[len(want):], want[len(have):]


def each_line(p, s, name, text):
    """A file of lines that the next stage of BuildKit refuses: each has to be, for its own reason."""
    refused = 0
    for line in re.sub(r"\\\n", "", text).splitlines():
        if line.startswith("FROM") or not line.strip():
            continue
        tree, err = p.tree("FROM scratch\n" + line)
        if tree is None:
            refused += 1
            if not REFUSED_LATER.search(err):
                s.note(False, name, "%s: %s" % (line, err))
                return
    s.note(refused > 0, name, "nothing is refused")


def heredoc_tests(p, s, root):
    with open(root + "/parser/parser_heredoc_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "parser/parser_heredoc_test"
    body = function(text, "TestParseExtractsHeredoc")
    source = re.search(r"NewBufferString\(`([^`]*)`", body).group(1)
    want = literal(body, r"tests := \[\]\[\]Heredoc{")
    # their parser knows instructions that none are; the line is one of them
    source = re.sub(r"^USER <<INVALID\nINVALID$", "USER <<INVALID\nUSER INVALID", source, flags=re.M)
    tree, err = p.tree(source)
    have = list(instructions(tree))[1:] if tree else []
    s.note(len(have) >= len(want), "extracted", err)
    for node, docs in zip(have, want):
        mine = [(h[2], h[-1], "expand" in h[3:-1]) for h in part(node, "heredoc")]
        # ours are without their tabs already
        theirs = [(d["Name"], re.sub(r"^\t+", "", d["Content"], flags=re.M) if d.get("Chomp") else d["Content"],
                   bool(d.get("Expand"))) for d in docs or []]
        s.note(mine == theirs, " ".join(map(str, node[:3])), "%s is not %s" % (mine, theirs))
    body = function(text, "TestParseJSONHeredoc")
    tree, err = p.tree(re.search(r"NewBufferString\(`([^`]*)`", body).group(1))
    s.note(tree is not None and not any(part(n, "heredoc") for n in instructions(tree)), "JSON", err)
    body = function(text, "TestParseHeredocHelpers")
    for word in literal(body, r"validHeredocs := \[\]string{"):
        have, err = p.strings("heredoc", word)
        s.note(bool(have) and have[0] == "EOF", word, "%s %s" % (have, err))
    for word in literal(body, r"invalidHeredocs := \[\]string{"):
        have, err = p.strings("heredoc", word)
        s.note(have is None, word, have)
    for word in literal(body, r"notHeredocs := \[\]string{"):
        have, err = p.strings("heredoc", word)
        s.note(have == [], word, "%s %s" % (have, err))
    for case in literal(function(text, "TestHeredocsFromLine"), r"heredocNames \[\]string\s*}{"):
        names = case["heredocNames"] or []
        tree, err = p.tree("FROM scratch\n" + "\n".join([case["line"]] + names))
        have = [h[2] for h in part(list(instructions(tree))[1], "heredoc")] if tree else []
        # theirs looks only at those that are found
        s.note(have == names[:len(have)], case["line"], "%s %s" % (have, err))


def directive_tests(p, s, root):
    with open(root + "/parser/directives_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "parser/directives_test"
    for name in ("TestDetectSyntax", "TestDetectSyntaxBOM", "TestParseDirective"):
        key = "check" if name == "TestParseDirective" else "syntax"
        parts = re.split(r"dt :?= (?:append\(\[\]byte\{0xEF, 0xBB, 0xBF\}, \[\]byte\()?`([^`]*)`", function(text, name))
        for source, checks in zip(parts[1::2], parts[2::2]):
            bom = b"\xef\xbb\xbf" if "BOM" in name else b""
            found = "require.True(t, ok)" in checks
            m = re.findall(r'require.Equal\(t, "([^"]*)", (\w+)\)', checks)
            want = dict((b, a) for a, b in m)
            if re.match(r"(#!.*\n)?(//|\{)", source) and found:
                s.note(False, "%s %r" % (name, source[:30]), "",
                       wanted="only \"# syntax=\" is looked for, as there is one front end")
                continue
            tree, err = p.tree(bom + (source + "\nFROM scratch\n").encode())
            have = [n[1] for n in part(tree or [], key)]
            line = want.get("cmdline", want.get("ref", ""))
            s.note(bool(have) == found and (not found or have[0].startswith(line)),
                   "%s %r" % (name, source[:30]), "%s %s" % (have, err))


def word_tests(p, s, root):
    with open(root + "/parser/json_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "parser/json_test"
    for source in literal(text, r"invalidJSONArraysOfStrings = \[\]string{"):
        tree, err = p.tree("FROM scratch\nCMD " + source)
        s.note(tree is None and "strings only" in err, source, err)
    for source, want in literal(text, r"validJSONArraysOfStrings = map\[string\]\[\]string{").items():
        tree, err = p.tree("FROM scratch\nCMD " + source.replace("\n", "\\n"))
        node = list(instructions(tree))[1] if tree else []
        s.note("exec" in node and canonical(node)[1] == want, source, "%s %s" % (node, err),
               wanted="a zero byte is in no argument" if "\\u0000" in source else None)
    with open(root + "/parser/parser_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "parser/parser_test"
    for case in literal(text, r"tests := \[\]map\[string\]\[\]string{"):
        tree, err = p.tree("FROM scratch\nARG " + case["input"][0])
        have = canonical(list(instructions(tree))[1])[1] if tree else err
        s.note(have == case["expect"], case["input"][0], have)
    tree, err = p.tree("FROM image\nLABEL test=" + "a" * 65536)
    s.note(tree is None, "a line of 64 KiB", "", wanted="a line may have 1 MiB")
    with open(root + "/parser/line_parsers_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "parser/line_parsers_test"
    for m in re.finditer(r'parseNameVal\("([^"]*)", "(\w+)".*?\n}', text, re.S):
        want = re.findall(r'Value: +"([^"=]+)"', m.group(0))
        tree, err = p.tree("FROM scratch\n%s %s" % (m.group(2), m.group(1)))
        have = [w for pair in canonical(list(instructions(tree))[1])[1] for w in pair] if tree else []
        s.note(have == want if "require.NoError" in m.group(0) else tree is None, m.group(1), "%s %s" % (have, err))


def instruction_tests(p, s, root):
    with open(root + "/instructions/parse_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "instructions/parse_test"
    for name, tail in (("TestCommandsExactlyOneArgument", ""), ("TestCommandsAtLeastOneArgument", ""),
                       ("TestCommandsNoDestinationArgument", " arg1"), ("TestCommandsBlankNames", " =arg2")):
        for command in literal(function(text, name), r"commands := \[\]string{"):
            tree, err = p.tree("FROM scratch\n" + command + tail)
            s.note(tree is None, command + tail, "accepted")
    for case in literal(function(text, "TestErrorCases"), r"expectedError string\s*}{"):
        tree, err = p.tree("FROM scratch\n" + case["dockerfile"])
        s.note(tree is None, case["name"], "accepted")
    for value, good in (("50ns", False), ("0ms", True), ("1ms", True)):
        if '"%s"' % value in function(text, "TestParseOptInterval"):
            tree, err = p.tree("FROM scratch\nHEALTHCHECK --interval=%s CMD x" % value)
            s.note((tree is not None) == good, "--interval=" + value, err)
    m = re.search(r"dockerfile := \"(RUN --mount[^\"]*)\"", text)
    tree, err = p.tree("FROM scratch\n" + m.group(1))
    s.note(tree is not None, m.group(1), err)
    tree, err = p.tree(re.search(r"dt := `([^`]*)`", function(text, "TestCommentsDetection")).group(1))
    s.note(tree is not None, "comments", err)
    with open(root + "/instructions/parse_heredoc_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "instructions/parse_heredoc_test"
    for case in literal(function(text, "TestErrorCasesHeredoc"), r"expectedError string\s*}{"):
        tree, err = p.tree("FROM scratch\n" + case["dockerfile"])
        s.note(tree is None, case["name"], "accepted")
    for case in literal(function(text, "TestCopyHeredoc"), r"sourcesAndDest SourcesAndDest\s*}{"):
        want = case["sourcesAndDest"]
        tree, err = p.tree("FROM scratch\n" + case["dockerfile"])
        node = list(instructions(tree))[1] if tree else []
        args = canonical(node)[1] if node else []
        docs = [(h[2], h[-1], "expand" in h[3:-1]) for h in part(node, "heredoc")]
        words = [h[1] for h in part(node, "heredoc")]
        have = (args[-1:], [a for a in args[:-1] if a not in words], docs)
        theirs = ([want["DestPath"]], want.get("SourcePaths") or [],
                  [(c["Path"], c["Data"], c["Expand"]) for c in want.get("SourceContents") or []])
        s.note(have == theirs, case["dockerfile"].splitlines()[0], "%s is not %s" % (have, theirs))
    for case in literal(function(text, "TestRunHeredoc"), r"files \s*\[\]ShellInlineFile\s*}{"):
        tree, err = p.tree("FROM scratch\n" + case["dockerfile"])
        node = list(instructions(tree))[1] if tree else []
        files = [(h[2], h[-1]) for h in part(node, "heredoc")]
        want = [(f["Name"], f["Data"].lstrip("\t") if f.get("Chomp") else f["Data"]) for f in case.get("files") or []]
        have = (canonical(node)[1] if node else None, "shell" in node, files)
        s.note(have == (case["command"], case["shell"], want), case["dockerfile"].splitlines()[0],
               "%s is not %s" % (have, want))


def shell_tests(p, s, root):
    with open(root + "/shell/envVarTest", encoding="utf-8") as f:
        lines = f.read().splitlines()
    s.suite = "shell/envVarTest"
    for line in lines:
        if line.startswith("#") or not line.strip() or line.startswith("W"):
            continue
        _, source, want = (w.strip() for w in line.strip().split("|"))
        have, err = p.strings("expand", source, "PWD=/home", "SHELL=bash", "KOREAN=한국어", "NULL=")
        s.note(have is None if want == "error" else have is not None and have[0] == want, source,
               "%s is not %s" % (have or err, want))
    with open(root + "/shell/wordsTest", encoding="utf-8") as f:
        lines = f.read().splitlines()
    s.suite = "shell/wordsTest"
    envs = []
    for line in lines:
        if line.startswith("ENV "):
            envs.append(line[3:].lstrip(" "))
        elif not line.startswith("#"):
            source, want = line.split("|")
            have, err = p.strings("words", source.strip(), *envs)
            want = want.lstrip(" ").split(",")
            s.note(have == want or (have is None and want == ["error"]), source.strip(), "%s is not %s" % (have, want))
    with open(root + "/shell/lex_test.go", encoding="utf-8") as f:
        text = f.read()
    s.suite = "shell/lex_test"
    for case in literal(function(text, "TestProcessWithMatches"), r"unmatched\s+map\[string\]struct{}\s*}{"):
        envs = ["%s=%s" % e for e in (case.get("envs") or {}).items()]
        have, err = p.strings("expand", case["input"], *envs)
        if case.get("expectedErr"):
            s.note(have is None, case["input"], have)
        else:
            want = [case.get("expected", "")] + sorted(case.get("unmatched") or {})
            s.note(have is not None and have[:1] + sorted(have[1:]) == want, case["input"],
                   "%s is not %s" % (have or err, want))
    body = function(text, "TestShellParserMandatoryEnvVars")
    for word, empty_fails in (re.search(r'noEmpty := "(.*)"', body).group(1), True), \
                             (re.search(r'noUnset := "(.*)"', body).group(1), False):
        for envs, want in ((["VAR=plain", "ARG=x"], "plain"), (["VAR=", "ARG=x"], None if empty_fails else ""), (["ARG=x"], None)):
            have, err = p.strings("expand", word, *envs)
            s.note(have[0] == want if have else want is None and "message herex" in err, word, have or err)
    for pattern in literal(function(text, "TestConvertShellPatternToRegex"), r"invalid := \[\]string{"):
        have, err = p.strings("expand", "${V#$P}", "V=text", "P=" + pattern)
        s.note(have is None, pattern, have)


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    p, s = Probe(args[0]), Score("-v" in sys.argv)
    for suite in (testfiles, heredoc_tests, directive_tests, word_tests, instruction_tests, shell_tests):
        try:
            suite(p, s, args[1])
        except (ValueError, AttributeError, KeyError) as e:  # their tests have moved
            s.note(False, suite.__name__, "cannot be read: %r" % e)
    sys.exit(s.report())


main()
