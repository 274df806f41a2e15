# SPDX-License-Identifier: Apache-2.0
"""An image as `save` wrote it: its file tree and its config, for comparison.

The tree is what a container would see: the layers' tars laid over each other
with their whiteouts.  Only what a Dockerfile decides is kept, so that two
builders can be compared: no times of things that a build makes itself.
"""

import hashlib
import json
import posixpath
import tarfile

# Files with a time before this came out of the build context; later ones were
# made by the build, at another time in each builder.
BUILD_TIME = 1_500_000_000

XATTR = "SCHILY.xattr."


def clean(name):
    name = posixpath.normpath("/" + name)
    return "/" if name == "//" else name


def describe(tar, member):
    kind = {
        tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link", tarfile.CHRTYPE: "char",
        tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo",
    }.get(member.type, "file")
    entry = {"type": kind, "mode": "%o" % member.mode, "owner": "%d:%d" % (member.uid, member.gid)}
    if kind == "file":
        data = tar.extractfile(member)
        digest = hashlib.sha256()
        while block := data.read(1 << 20):
            digest.update(block)
        entry["size"] = member.size
        entry["content"] = digest.hexdigest()
        # what stave makes itself has time 0, what Docker makes that of the build
        entry["mtime"] = int(member.mtime) if 0 < member.mtime < BUILD_TIME else "made"
    elif kind == "link":
        entry["to"] = member.linkname
        del entry["mode"]  # a symbolic link has none
    elif kind in ("char", "block"):
        entry["device"] = "%d:%d" % (member.devmajor, member.devminor)
    attributes = {k[len(XATTR):]: v for k, v in member.pax_headers.items() if k.startswith(XATTR)}
    if attributes:
        entry["xattrs"] = attributes
    return entry


def remove(tree, path, itself=True):
    for name in [n for n in tree if n.startswith(path.rstrip("/") + "/")]:
        del tree[name]
    if itself:
        tree.pop(path, None)


def add_layer(tree, file):
    """Lays one layer over the tree: removals first, then what it brings."""
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        members = tar.getmembers()
        for member in members:
            directory, name = posixpath.split(clean(member.name))
            if name == ".wh..wh..opq":
                remove(tree, directory, itself=False)
            elif name.startswith(".wh."):
                remove(tree, posixpath.join(directory, name[4:]))
        brought = {}
        for member in members:
            path = clean(member.name)
            if posixpath.basename(path).startswith(".wh."):
                continue
            if member.islnk():
                target = clean(member.linkname)
                entry = brought.get(target) or tree[target]
                entry.setdefault("links", {target}).add(path)
            else:
                entry = describe(tar, member)
            if entry["type"] != "dir" and tree.get(path, {}).get("type") == "dir":
                remove(tree, path)
            brought[path] = entry
        tree.update(brought)


def load(path):
    """What `save` wrote: (tree, config)."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        if len(manifest) != 1:
            raise ValueError("%s has %d images" % (path, len(manifest)))
        config = json.load(archive.extractfile(manifest[0]["Config"]))
        tree = {}
        for layer in manifest[0]["Layers"]:
            add_layer(tree, archive.extractfile(layer))
    for entry in tree.values():
        if "links" in entry:
            # of names that are gone, nothing is known any more
            entry["links"] = sorted(n for n in entry["links"] if tree.get(n) is entry)
    for entry in tree.values():
        if len(entry.get("links", [])) == 1:
            del entry["links"]
    return tree, config


def differences(a, b):
    """Lines that say where two loaded images differ; none when they agree."""
    (tree_a, config_a), (tree_b, config_b) = a, b
    lines = []
    for path in sorted(tree_a.keys() | tree_b.keys()):
        one, other = tree_a.get(path), tree_b.get(path)
        if path == "/":
            continue  # the root directory itself is not in every layer
        if one != other:
            keys = sorted((one or {}).keys() | (other or {}).keys())
            what = keys if one and other else ["type"]
            for key in what:
                x, y = (one or {}).get(key, "-"), (other or {}).get(key, "-")
                if x != y:
                    lines.append("%s %s: %s | %s" % (path, key, x, y))
    one, other = config_a.get("config") or {}, config_b.get("config") or {}
    for key in sorted(one.keys() | other.keys()):
        # what is empty and what is not there mean the same
        if (one.get(key) or None) != (other.get(key) or None):
            lines.append("config %s: %s | %s" % (key, one.get(key), other.get(key)))
    for key in ("architecture", "os", "variant", "author"):
        if config_a.get(key) != config_b.get(key):
            lines.append("config %s: %s | %s" % (key, config_a.get(key), config_b.get(key)))
    one, other = config_a.get("history", []), config_b.get("history", [])
    if len(one) != len(other):
        lines.append("history has %d rows | %d" % (len(one), len(other)))
    for x, y in zip(one, other):
        if x.get("created_by") != y.get("created_by"):
            lines.append("history: %s | %s" % (x.get("created_by"), y.get("created_by")))
        if bool(x.get("empty_layer")) != bool(y.get("empty_layer")):
            lines.append("history: only one has a layer: %s" % x.get("created_by"))
    return lines
