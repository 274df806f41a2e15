# SPDX-License-Identifier: Apache-2.0
"""The command lines that are compared.

{name} is the id of an image of shapes_archive.py, {name:12} its beginning, {scratch} a
directory of its own for each side.
"""

LISTS = """
images shapes/*
images shapes/one
images shapes/one:1.0
images shapes/one:nosuch
images shapes/*:dev
images shapes
images */one
images shapes/[ot]*
images shapes/o?e
images shapes.example:5000/team/app
images shapes.example:5000/*/*
images */app
images 'shapes/[x'
images -a shapes/*
images -q shapes/*
images -q shapes/one
images -q --no-trunc shapes/one
images --no-trunc shapes/*
images --digests --no-trunc shapes/two
images --filter label=shapes
images --filter label=shapes=1
images --filter label=shapes=1 --filter label=child=yes
images --filter label=shapes --filter dangling=true
images --filter label=shapes --filter dangling=true -q
images --filter label=shapes --filter dangling=1
images --filter label=shapes --filter dangling=false
images --filter label=shapes --filter dangling=maybe
images --filter label!=shapes shapes/*
images --filter reference=shapes/one
images --filter reference=shapes/one --filter reference=shapes/two
images --filter reference=shapes/one:1.*
images --filter reference=shapes/*:*
images --filter reference=shapes/** 
images --filter reference=docker.io/shapes/one
images docker.io/shapes/one
images --filter before=shapes/two:dev shapes/*
images --filter since=shapes/two:dev shapes/*
images --filter before=shapes/child --filter since=shapes/full shapes/*
images --filter before={two:12} shapes/*
images --filter before=shapes/nosuch shapes/*
images --filter since=BAD/Name shapes/*
images --filter until=24h shapes/*
images --filter until=2400h shapes/*
images --filter until=2024-01-01 shapes/*
images --filter until=2025-12-01T10:00:00 shapes/*
images --filter until=nonsense shapes/*
images --filter nosuch=1 shapes/*
images --filter nosuch
images --filter =x
images --format json shapes/*
images --format '{{json .}}' shapes/two
images --format '{{.Repository}}:{{.Tag}}' shapes/*
images --format 'table {{.ID}}\\t{{.Repository}}\\t{{.Size}}' shapes/*
images --format 'table {{.ID}} {{.VirtualSize}} {{.UniqueSize}} {{.SharedSize}} {{.Containers}}' shapes/*
images --format '{{.CreatedAt}}|{{.CreatedSince}}|{{.Digest}}' shapes/*
images --format '{{upper .Repository}} {{lower .Tag}} {{title .Tag}} {{len .ID}} {{pad .Tag 2 3}}|{{truncate .ID 3}}|' shapes/one
images --format '{{if eq .Tag "latest"}}L{{else}}{{.Tag}}{{end}}' shapes/*
images --format '{{split .Repository "/"}} {{join (split .Repository "/") "+"}} {{println .Tag}}' shapes/one
images --format '{{.Nosuch}}' shapes/one
images --format '{{.Repository' shapes/one
images --format '{{nosuch .Repository}}' shapes/one
images --format table shapes/one
images --format '' shapes/one
images --format raw shapes/one
images -q --format '{{.Tag}}' shapes/one
images -q --format table shapes/one
images -q --format json shapes/one
image ls shapes/one
image list shapes/one
images shapes/one shapes/two
images --nosuch
"""

HISTORY = """
history shapes/one
history shapes/two:dev
history shapes/two
history shapes/full
history shapes/bare
history shapes.example:5000/team/app:v1
history shapes/unicode
history {lone}
history {lone:12}
history sha256:{two}
history sha256:{two:20}
history --no-trunc shapes/two:dev
history --no-trunc shapes/full
history --no-trunc shapes/unicode
history -q shapes/two:dev
history -q --no-trunc shapes/two:dev
history --human=false shapes/two:dev
history -H=false shapes/full
history -H=false --no-trunc shapes/bare
history --format json shapes/two:dev
history --format '{{json .}}' shapes/unicode
history --format '{{.ID}}|{{.CreatedSince}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}' shapes/two:dev
history --format '{{.ID}}|{{.CreatedSince}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}' shapes/bare
history --format 'table {{.ID}}\\t{{.Size}}' shapes/two:dev
history --format 'table {{.CreatedAt}}' -H=false shapes/two:dev
history --format '{{.Nosuch}}' shapes/two:dev
history --format raw shapes/two:dev
history -q --format '{{.Size}}' shapes/two:dev
image history shapes/one
history shapes/nosuch
history nosuch:tag
history BAD
history
history a b
history --platform linux/amd64 shapes/one
history --platform linux/arm64 shapes/one
"""

INSPECT = """
inspect shapes/one
inspect shapes/two:dev
inspect shapes/full
inspect shapes/bare
inspect shapes/unicode
inspect shapes.example:5000/team/app:v1
image inspect {lone}
image inspect {lone:12} shapes/child
inspect --type image shapes/one
inspect --type=container shapes/one
image inspect shapes/nosuch
inspect shapes/nosuch
inspect shapes/nosuch shapes/bare shapes/nosuch2
image inspect shapes/bare shapes/nosuch
image inspect shapes/nosuch shapes/nosuch2
inspect --type image shapes/nosuch
inspect -f '{{.Id}}' shapes/nosuch
inspect -f '{{.Id}}' shapes/nosuch shapes/one
inspect -f '{{.Id}}' shapes/one shapes/two:dev
inspect -f json shapes/one
inspect -f '{{json .}}' shapes/full
inspect -f '{{json .Config}}' shapes/full
inspect -f '{{json .Config.Labels}}' shapes/full shapes/one shapes/bare
inspect -f '{{json .Config.Labels}}' shapes/unicode
inspect -f '{{.Config.Labels}}' shapes/full
inspect -f '{{.Config.Env}}' shapes/full
inspect -f '{{.Config.ExposedPorts}}' shapes/full
inspect -f '{{.Config.Volumes}}' shapes/full
inspect -f '{{.Config.Entrypoint}} {{.Config.Cmd}}' shapes/full shapes/one
inspect -f '{{.RepoTags}} {{.RepoDigests}} {{.Parent}}' shapes/one
inspect -f '{{json .RootFS}}' shapes/one
inspect -f '{{.RootFS.Type}} {{index .RootFS.Layers 0}} {{len .RootFS.Layers}}' shapes/two:dev
inspect -f '{{index .RootFS.Layers 7}}' shapes/two:dev
inspect -f '{{index .Config.Labels "org.x.y"}}' shapes/full
inspect -f '{{index .Config.Labels "nosuch"}}' shapes/full
inspect -f '{{.Config.Labels.shapes}}' shapes/full
inspect -f '{{.Config.Labels.nosuch}}' shapes/full
inspect -f '{{range .Config.Env}}{{println .}}{{end}}' shapes/full
inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}' shapes/full
inspect -f '{{range $i, $e := .Config.Env}}{{$i}}:{{$e}} {{end}}' shapes/full
inspect -f '{{range $p, $c := .Config.ExposedPorts}}{{$p}} {{end}}' shapes/full
inspect -f '{{range .Config.Env}}x{{else}}none{{end}}' shapes/bare
inspect -f '{{join .Config.Env ","}}' shapes/full
inspect -f '{{upper .Os}} {{title .Architecture}} {{lower .Author}}' shapes/full
inspect -f '{{split .Os "n"}} {{index (split .Id ":") 1}}' shapes/full
inspect -f '{{if .Config.Labels}}yes{{else}}no{{end}}' shapes/full shapes/one
inspect -f '{{with .Config.User}}{{.}}{{end}}' shapes/full
inspect -f '{{len .Config.Env}} {{len .Id}}' shapes/full
inspect -f '{{printf "%s-%d" .Os .Size}}' shapes/full
inspect -f '{{printf "%q %v %5d|%-8s|" .Os .Size .Size .Os}}' shapes/full
inspect -f '{{.Size}} {{.Created}} {{.Os}} {{.Variant}} {{.DockerVersion}}' shapes/full
inspect -f '{{.Created}} {{.Comment}} {{.Author}}' shapes/one shapes/bare
inspect -f '{{.Nosuch}}' shapes/full
inspect -f '{{.Config.Nosuch}}' shapes/full
inspect -f '{{.Os.Nosuch}}' shapes/full
inspect -f '{{json .Config.Healthcheck}} {{.Config.Healthcheck.Interval}}' shapes/full
inspect -f '{{eq .Os "linux"}} {{ne .Os "x"}} {{and true .Os}} {{or "" .Os}} {{not .Os}}' shapes/full
inspect -f '{{gt .Size 1}} {{lt .Size 1}}' shapes/full
inspect -f '{{slice .Id 7 19}}' shapes/bare
inspect -f '{{json .Config.Nosuch}}' shapes/full
inspect -f '{{.Id' shapes/full
inspect -f '{{nosuch .Id}}' shapes/full
inspect -f '' shapes/bare
inspect -f plain shapes/bare
inspect -f 'a\\tb\\n' shapes/bare
inspect -s shapes/bare
image inspect -s shapes/bare
inspect BAD
image inspect BAD
inspect
image inspect
inspect {one:12}
image inspect --platform linux/amd64 shapes/bare
image inspect --platform linux/arm64 shapes/bare
inspect -f '{{.Id}}' sha256:{one:12}
inspect -f '{{.Id}}' shapes/one@sha256:{one}
inspect -f '{{.Id}}' shapes/one:1.0@sha256:{two}
inspect -f '{{.Id}}' @sha256:{one}
inspect -f '{{.Id}}' docker.io/shapes/one
inspect -f '{{.Id}}' index.docker.io/shapes/one
inspect -f '{{.Id}}' shapes/one:
inspect -f '{{.Id}}' /shapes/one
inspect -f '{{.Id}}' ''
"""

TAG = """
tag shapes/one shapes/new
tag shapes/one shapes/new:2
tag {two:12} shapes/new:3
tag sha256:{two} shapes/new:4
images --format '{{.Repository}}:{{.Tag}} {{.ID}}' shapes/new
tag shapes/two:dev shapes/new
images --format '{{.Repository}}:{{.Tag}} {{.ID}}' shapes/new
tag {lone} shapes/named
images --filter label=shapes=1
tag shapes/nosuch shapes/x
tag nosuch:tag shapes/x
tag shapes/one Shapes/UPPER
tag shapes/one shapes/x:
tag shapes/one shapes/x:-a
tag shapes/one shapes/x:a/b
tag shapes/one 'shapes/x y'
tag shapes/one shapes//x
tag shapes/one shapes/x@sha256:{one}
tag shapes/one {one}
tag shapes/one ''
tag '' shapes/x
tag BAD shapes/x
tag shapes/one
tag
tag a b c
tag -x a b
image tag shapes/one shapes/new:5
"""

RMI_1 = """
tag shapes/one shapes/also:one
rmi shapes/also:one
rmi shapes/one
rmi shapes/one:1.0
rmi shapes/one:1.0
rmi shapes/nosuch
rmi -f shapes/nosuch
rmi shapes/two:dev shapes/nosuch shapes/bare
rmi {lone:12}
rmi {team:12}
rmi -f {team:12}
rmi sha256:{lone2}
rmi {full}
rmi BAD
rmi -f BAD
rmi
images --filter label=shapes
"""

RMI_2 = """
tag shapes/one shapes/also:one
rmi -f shapes/one
rmi --no-prune shapes/one:1.0
image rm shapes/also:one
image remove shapes/two:dev
rmi {one:12}
rmi shapes/child shapes/child
rmi shapes/full:latest {full}
rmi shapes.example:5000/team/app:v1@sha256:{team}
rmi -f {lone} {lone2} {lone}
"""

MOVES = """
save -o {scratch}/a.tar shapes/one shapes/two:dev
load -i {scratch}/a.tar
load -q -i {scratch}/a.tar
load < {scratch}/a.tar
rmi -f shapes/one shapes/two:dev shapes/also:one shapes/one:1.0
load -i {scratch}/a.tar
images shapes/*
save -o {scratch}/b.tar {two:12}
rmi shapes/two:dev
load -i {scratch}/b.tar
images --filter label=shapes=1 --filter dangling=true
tag shapes/child shapes/one
load -i {scratch}/a.tar
save -o {scratch}/c.tar shapes/nosuch
save -o {scratch}/c.tar shapes/one shapes/nosuch
save -o {scratch}/nosuch/c.tar shapes/one
save -o {scratch} shapes/one
save
load -i {scratch}/nosuch.tar
load x
save --platform linux/arm64 -o {scratch}/d.tar shapes/one
load --platform linux/arm64 -i {scratch}/a.tar
save --platform nonsense/x/y/z -o {scratch}/d.tar shapes/one
import {scratch}/nosuch.tar
import -c 'RUN x' {archive} shapes/imported
import {archive} shapes/Imported
import -c 'CMD [\"x\"]' -c 'ENV A=b' -m 'my message' {archive} shapes/imported
inspect -f '{{json .Config}} {{.Comment}} {{.Author}} {{.Os}} {{.Architecture}} {{.Size}} ' shapes/imported
history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' shapes/imported
import - shapes/imported2 < {archive}
history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' shapes/imported2
import -c 'LABEL shapes=1' --platform linux/arm64 - < {archive}
images --filter label=shapes=1 --filter dangling=true --format '{{.Repository}} {{.Tag}} {{.Size}}'
import -c 'CMD [\"x\"' -c 'ENTRYPOINT y z' - shapes/imported3 < {archive}
inspect -f '{{json .Config}}' shapes/imported3
import - < /dev/null
export shapes-nosuch
export -o {scratch}/nosuch/x shapes-nosuch
commit shapes-nosuch shapes/x
commit shapes-nosuch shapes/X
commit
diff shapes-nosuch
diff
"""

# {box} has a busybox; what a container changed, in every way that files change
CONTAINERS = """
run --network none --name shapes-c --label shapes shapes/box sh -c 'echo new >/etc/new; echo more >>/etc/motd; rm /etc/gone; mkdir -p /deep/er; ln -s motd /etc/link; chmod 600 /etc/kept; rm -r /tree; mkdir /tree; echo x >/tree/x; mkfifo /pipe; ln /etc/new /etc/hard; echo y >/twoü; echo out'
run --network none --name shapes-d --label shapes shapes/box sh -c 'echo plain >/etc/plain'
diff shapes-d
container diff shapes-c | sort
diff {box:12}
commit -m 'a \"message\"' -a 'Ann <ann@x.org>' shapes-c shapes/made:1
inspect -f '{{json .Config}}|{{.Author}}|{{.Comment}}|{{.Os}}/{{.Architecture}}|{{len .RootFS.Layers}}' shapes/made:1
history --no-trunc --format '{{.CreatedBy}}|{{.Comment}}' shapes/made:1
commit shapes-d shapes/plain
history --no-trunc --format '{{.CreatedBy}}|{{.Size}}' shapes/plain
inspect -f '{{.Size}}' shapes/plain
images --format '{{.Repository}}:{{.Tag}} {{.Size}}' shapes/made
container commit -c 'ENV A=b C=d' -c 'CMD [\"x\", \"y\"]' -c 'EXPOSE 80/tcp' -c 'LABEL shapes=1 l=m' -c 'USER app' -c 'WORKDIR /w' -c 'VOLUME /v' -c 'ENTRYPOINT e f' -c 'ONBUILD RUN z' -c 'STOPSIGNAL INT' shapes-c shapes/made:2
inspect -f '{{json .Config}}' shapes/made:2
commit -c 'RUN x' shapes-c shapes/made:3
commit -c 'ENV' shapes-c shapes/made:3
commit -c 'nonsense' shapes-c shapes/made:3
commit -c 'from shapes/one' shapes-c shapes/made:3
commit -c 'LABEL shapes=1' shapes-c
commit --pause=false shapes-c shapes/made
commit shapes-c shapes/made:1 x
commit shapes-c Shapes/made
commit shapes-c shapes/made@sha256:{box}
run --rm --network none shapes/made:1 sh -c 'cat /etc/new /etc/motd; ls -ln /etc/link /etc/kept; ls /tree; test ! -e /etc/gone'
export -o {scratch}/e.tar shapes-c
! tar --numeric-owner --exclude-from={mounted} -tvf {scratch}/e.tar
import -c 'LABEL shapes=1' {scratch}/e.tar shapes/flat
run --rm --network none shapes/flat ls -ln /etc/kept /etc/new /etc/motd /etc/hard /etc/link /pipe /tree
export shapes-c shapes-d
export
rmi shapes/box
rmi shapes/nosuch shapes/box
tag shapes/box shapes/box:other
rmi shapes/box:other
rm shapes-c shapes-d
rmi shapes/made:1 shapes/made:2
rmi shapes/flat shapes/made:1
"""

# What Docker makes in every container to mount something there, and leaves in it.
MOUNTED = [".dockerenv", "dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab"]


def section(text):
    # the texts are written with the backslashes that a shell's single quotes keep
    return [line for line in text.strip().splitlines() if line.strip()]


def all_cases():
    """(name, command lines, those of them that are known to differ)"""
    yield "images", section(LISTS), KNOWN
    yield "history", section(HISTORY), KNOWN
    yield "inspect", section(INSPECT), KNOWN
    yield "tag", section(TAG), KNOWN
    yield "rmi", section(RMI_1), KNOWN
    yield "rmi2", section(RMI_2), KNOWN
    yield "moves", section(MOVES), KNOWN
    yield "containers", section(CONTAINERS), KNOWN


# What differs on purpose: docs/compat.md says why.
KNOWN = {
    # names of an image among others without one; what is deleted has its own digest
    "load -i {archive}", "rmi -f {team:12}", "rmi shapes/child shapes/child", "rmi -f {lone} {lone2} {lone}",
    # an image is found by its digest, whoever named it
    "inspect -f '{{.Id}}' shapes/one@sha256:{one}", "inspect -f '{{.Id}}' shapes/one:1.0@sha256:{two}",
    "rmi shapes.example:5000/team/app:v1@sha256:{team}",
    # a path of the API that happens to work
    "inspect -f '{{.Id}}' /shapes/one",
    # durations are numbers in templates as in JSON
    "inspect -f '{{json .Config.Healthcheck}} {{.Config.Healthcheck.Interval}}' shapes/full",
    # errors in other words, or where Docker has none
    "save -o {scratch}/nosuch/c.tar shapes/one", "export -o {scratch}/nosuch/x shapes-nosuch",
    "load --platform linux/arm64 -i {scratch}/a.tar", "save --platform nonsense/x/y/z -o {scratch}/d.tar shapes/one",
    "import - < /dev/null",
}
