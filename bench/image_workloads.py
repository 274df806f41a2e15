# SPDX-License-Identifier: Apache-2.0
"""The workloads of images that are there: looking, moving, committing.  See workloads.py.

Only tools that have all of these commands take part (Tool.images).
"""
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile

from workloads import BASE, Import, Workload

IMAGES = 100
CHANGED = 5000


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def digest_of(path):
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else \
            subprocess.run(['sha256sum', path], capture_output=True, text=True).stdout.split()[0]


def archive(path, images, layers):
    """images: [(name, number)]; all of them have the layer files `layers`."""
    ids = [digest_of(l) for l in layers]
    manifest = []
    with tarfile.open(path, 'w') as tar:
        for name, number in images:
            config = json.dumps({
                'architecture': 'amd64', 'os': 'linux', 'created': '2026-01-01T00:00:00Z',
                'config': {'Labels': {'n': str(number)}, 'Env': ['PATH=/bin'], 'Cmd': ['sh']},
                'history': [{'created': '2026-01-01T00:00:00Z', 'created_by': 'COPY . /'}] +
                [{'created': '2026-01-01T00:00:00Z', 'created_by': f'ENV A{n}=1', 'empty_layer': True} for n in range(9)],
                'rootfs': {'type': 'layers', 'diff_ids': [f'sha256:{i}' for i in ids]}}).encode()
            file = hashlib.sha256(config).hexdigest() + '.json'
            add(tar, file, config)
            manifest.append({'Config': file, 'RepoTags': [name], 'Layers': [f'{i}/layer.tar' for i in ids]})
        for i, layer in zip(ids, layers):
            tar.add(layer, f'{i}/layer.tar')
        add(tar, 'manifest.json', json.dumps(manifest).encode())


class Managing(Workload):
    group = 'images'

    def takes_part(self, tool):
        return tool.images

    def argv(self, bench, tool):
        return self.words(bench, tool) if tool.images else None


class Looking(Managing):
    """A hundred images; the floor is the start of a program."""
    target = 20

    def prepare(self, bench):
        path = bench.directory / 'hundred.tar'
        names = self.images()
        if not path.exists():
            archive(path, [(n, i) for i, n in enumerate(names)], [bench.directory / 'base.tar'])
            for tool in bench.tools:
                if tool.images:
                    bench.quiet(tool, tool.command + ['load', '-i', str(path)])

    def images(self):
        return [f'bench-hundred:{n}' for n in range(IMAGES)]

    def floor(self, bench):
        return ['/bin/true']


class List(Looking):
    name, title = 'images100', f'`images`, {IMAGES} of them'

    def words(self, bench, tool):
        return tool.command + ['images']


class History(Looking):
    name, title = 'history100', f'`history`, {IMAGES} images there'

    def words(self, bench, tool):
        return tool.command + ['history', 'bench-hundred:7']


class InspectOne(Looking):
    name, title = 'inspect', f'`inspect` of one, {IMAGES} images there'

    def words(self, bench, tool):
        return tool.command + ['inspect', 'bench-hundred:7']


class Inspect(Looking):
    name, title = 'inspect100', f'`inspect` of {IMAGES} images at once'

    def words(self, bench, tool):
        return tool.command + ['inspect', *self.images()]


class Moving(Managing):
    """The Debian tree of `import`, under one name for all that read it."""
    slow = True
    NAME = 'bench-debian:0'
    TAR = None

    def prepare(self, bench):
        if not Moving.TAR:
            source = Import()
            source.prepare(bench)
            Moving.TAR = source.original
            for tool in bench.tools:
                if tool.images:
                    bench.quiet(tool, tool.command + ['import', str(Moving.TAR), self.NAME])
                    bench.quiet(tool, tool.command + ['run', '--name', f'bench-export-{os.getpid()}', self.NAME, 'true'])

    def images(self):
        return [self.NAME]

    def size(self):
        return f'{Moving.TAR.stat().st_size // 10 ** 6} MB'

    def out(self, bench, tool):
        return bench.directory / f'{self.name}-{tool.name}-{self.round}.tar'

    def check(self, bench, tool):
        if self.out(bench, tool).stat().st_size < Moving.TAR.stat().st_size // 2:
            raise SystemExit(f'{tool.name}: {self.name} wrote too little')

    def floor(self, bench):
        out = shlex.quote(str(bench.directory / f'{self.name}-floor-{self.round}.tar'))
        return ['sh', '-c', f'cp {shlex.quote(str(Moving.TAR))} {out} && sha256sum {out}']


class Save(Moving):
    name, title, target = 'save', '`save` of a Debian image', 3

    def words(self, bench, tool):
        return tool.command + ['save', '-o', str(self.out(bench, tool)), self.NAME]


class Export(Moving):
    name, title, target = 'export', '`export` of a Debian container', 3

    def words(self, bench, tool):
        return tool.command + ['export', '-o', str(self.out(bench, tool)), f'bench-export-{os.getpid()}']

    def tidy(self, bench, tool):
        tool.call(tool.command + ['rm', f'bench-export-{os.getpid()}'])


class Load(Moving):
    name, title, target, cpu_only = 'load', '`load` of a Debian image', 2, True
    archive = ''

    def fresh(self, bench, n):
        super().fresh(bench, n)
        layer = bench.directory / f'load-layer-{n}.tar'
        mark = bench.directory / 'mark'
        mark.write_text(f'load {os.getpid()}.{n}\n')
        shutil.copyfile(Moving.TAR, layer)
        subprocess.run(['tar', '-C', bench.directory, '-rf', layer, mark.name], check=True)
        self.archive = bench.directory / f'load-{n}.tar'
        archive(self.archive, [(self.image(), n)], [layer])

    def images(self):
        return Workload.images(self)

    def words(self, bench, tool):
        return tool.command + ['load', '-i', str(self.archive)]

    def check(self, bench, tool):
        self.check_size(tool, Moving.TAR.stat().st_size // 2)

    def floor(self, bench):
        tree = bench.directory / f'load-tree-{self.round}'
        tree.mkdir()
        return ['sh', '-c', f'tar -C {shlex.quote(str(tree))} -xf {shlex.quote(str(Moving.TAR))} && '
                f'sha256sum {shlex.quote(str(self.archive))}']


class Commit(Managing):
    """Each round another container with files of its own."""
    name, title, target, slow = 'commit', f'`commit` of {CHANGED:,} changed files', 8, True

    def container(self):
        return f'bench-commit-{os.getpid()}-{self.round}'

    def fresh(self, bench, n):
        super().fresh(bench, n)
        script = f'n=0; while [ $n -lt {CHANGED} ]; do echo {n}.$n >/tmp/file$n; n=$((n + 1)); done'
        for tool in bench.tools:
            if tool.images:
                bench.quiet(tool, tool.command + ['run', '--name', self.container(), BASE, 'sh', '-c', script])

    def words(self, bench, tool):
        return tool.command + ['commit', self.container(), self.image()]

    def tidy(self, bench, tool):
        for n in range(self.round + 1):
            tool.call(tool.command + ['rm', f'bench-commit-{os.getpid()}-{n}'])

    def floor(self, bench):
        tree = bench.directory / f'commit-floor-{self.round}'
        tree.mkdir()
        for n in range(CHANGED):
            (tree / f'file{n}').write_text(f'{self.round}.{n}\n')
        copy = shlex.quote(str(tree) + '.copy')
        return ['sh', '-c', f'cp -r {shlex.quote(str(tree))} {copy} && tar -C {copy} -cf - . | sha256sum']


ALL = [List(), History(), InspectOne(), Inspect(), Save(), Load(), Export(), Commit()]
