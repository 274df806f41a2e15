# SPDX-License-Identifier: Apache-2.0
"""REGISTRY FILE: puts small images into a registry, and their digests, as shell variables, into a file."""
import hashlib
import json
import sys
import urllib.request

registry, out = sys.argv[1:]
OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


def ask(method, path, body=None, headers=None):
    url = path if path.startswith("http") else f"http://{registry}/v2/{path}"
    return urllib.request.urlopen(urllib.request.Request(url, body, headers or {}, method=method))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(repository, data):
    where = ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
    ask("PUT", f"{where}&digest={digest_of(data)}", data, {"Content-Type": "application/octet-stream"})
    return {"digest": digest_of(data), "size": len(data)}


def manifest(repository, tag, document, media_type):
    data = json.dumps(document).encode()
    ask("PUT", f"{repository}/manifests/{tag or digest_of(data)}", data, {"Content-Type": media_type})
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def image(repository, tag, platform, config_type, layer_type, media_type):
    layer = b"layer of " + tag.encode() if tag else b"layer"
    config = {**platform, "config": {"Env": ["A=<b>"]}, "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
    return manifest(repository, tag, {
        "schemaVersion": 2, "mediaType": media_type,
        "config": {"mediaType": config_type, **blob(repository, json.dumps(config).encode())},
        "layers": [{"mediaType": layer_type, **blob(repository, layer)}]}, media_type)


amd64 = {"architecture": "amd64", "os": "linux"}
arm = {"architecture": "arm", "os": "linux", "variant": "v7"}
oci = image("img", None, amd64, OCI + "config.v1+json", OCI + "layer.v1.tar", OCI + "manifest.v1+json")
docker = image("img", "docker", arm, DOCKER + "container.image.v1+json", DOCKER + "image.rootfs.diff.tar",
               DOCKER + "distribution.manifest.v2+json")
index = manifest("img", "all", {
    "schemaVersion": 2, "mediaType": OCI + "index.v1+json",
    "manifests": [{**oci, "annotations": {"note": "first"}, "platform": amd64}, {**docker, "platform": arm}]},
    OCI + "index.v1+json")
# what refers to the first one; this registry does not list it, so its tag does
signature = manifest("img", None, {
    "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "artifactType": "application/x.signature",
    "config": {"mediaType": "application/vnd.oci.empty.v1+json", **blob("img", b"{}")},
    "layers": [{"mediaType": "text/plain", **blob("img", b"signed")}], "subject": oci}, OCI + "manifest.v1+json")
manifest("img", oci["digest"].replace(":", "-"), {
    "schemaVersion": 2, "mediaType": OCI + "index.v1+json",
    "manifests": [{**signature, "artifactType": "application/x.signature"}]}, OCI + "index.v1+json")
for i in range(130):
    manifest("many", f"v{i}", {
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": {"mediaType": OCI + "config.v1+json", **blob("many", b"{}")}, "layers": []}, OCI + "manifest.v1+json")

with open(out, "w", encoding="utf-8") as f:
    f.write(f"oci={oci['digest']} oci_size={oci['size']}\ndocker={docker['digest']} docker_size={docker['size']}\n"
            f"all={index['digest']}\nsignature={signature['digest']}\n")
