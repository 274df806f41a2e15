# SPDX-License-Identifier: Apache-2.0
"""The two builders that are compared: stave, and Docker where there is one."""

import json
import os
import shutil
import subprocess

TIMEOUT = 180


class NoLayers(Exception):
    """An image without files, which Docker can build and not save."""


class Builder:
    """One command line that understands build, save and import."""

    def __init__(self, name, words, environment=None):
        self.name = name
        self.words = words
        self.environment = dict(os.environ, **(environment or {}))

    def run(self, *words, stdin=None, cwd=None):
        try:
            return subprocess.run(
                self.words + list(words), env=self.environment, cwd=cwd,
                stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TIMEOUT)
        except subprocess.TimeoutExpired as e:
            text = e.stdout.decode(errors="replace") if e.stdout else ""
            return subprocess.CompletedProcess(e.cmd, 124, text + "\ntimed out", "")

    def base(self, archive, names):
        """The base image, under each of the names."""
        for name in names:
            with open(archive, "rb") as stdin:
                r = self.run("import", "-", name, stdin=stdin)
            if r.returncode:
                raise RuntimeError("%s import: %s" % (self.name, r.stdout))

    def build(self, directory, options, tag):
        return self.run("build", *options, "-t", tag, ".", cwd=directory)

    def save(self, tag, path):
        r = self.run("save", "-o", path, tag)
        if "empty export" in r.stdout:
            raise NoLayers
        if r.returncode:
            raise RuntimeError("%s save: %s" % (self.name, r.stdout))


    def config(self, tag):
        """The config as far as `inspect` shows it."""
        r = self.run("inspect", tag)
        if r.returncode:
            raise RuntimeError("%s inspect: %s" % (self.name, r.stdout))
        image = json.loads(r.stdout)[0]
        return {"config": image["Config"], "architecture": image["Architecture"], "os": image["Os"]}


def stave(program, store):
    return Builder("stave", [program, "--root", store])


def docker():
    """Docker with BuildKit, or None and why not."""
    if not shutil.which("docker"):
        return None, "there is no docker on this machine"
    b = Builder("docker", ["docker"], {"DOCKER_BUILDKIT": "1"})
    if b.run("version", "--format", "{{.Server.Version}}").returncode:
        return None, "no Docker daemon answers"
    return b, ""
