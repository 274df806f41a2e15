# SPDX-License-Identifier: Apache-2.0
"""To and from a registry: Debian's docker-registry on loopback, started here.  See workloads.py.

The image is the Debian tree of `import` and a layer of 20,000 files.  What is pulled was
put into the registry by plain requests, as gzip makes it, so that no tool reads its own work.
"""
import gzip
import hashlib
import io
import json
import shlex
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request

from image_workloads import archive
from workloads import FILES, Import, Workload, write_files

TYPE = 'application/vnd.docker.'
LAYER, CONFIG = TYPE + 'image.rootfs.diff.tar.gzip', TYPE + 'container.image.v1+json'
MANIFEST = TYPE + 'distribution.manifest.v2+json'


def sha256(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


class Registry:
    """A docker-registry with a directory of its own; empty at first."""

    def __init__(self, directory):
        directory.mkdir()
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        self.host = f'localhost:{port}'
        (directory / 'config.yml').write_text(json.dumps({
            'version': '0.1', 'log': {'level': 'error', 'accesslog': {'disabled': True}},
            'storage': {'filesystem': {'rootdirectory': str(directory / 'data')}},
            'http': {'addr': f'127.0.0.1:{port}'}}))
        self.process = subprocess.Popen(['docker-registry', 'serve', str(directory / 'config.yml')],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            with socket.socket() as s:
                if s.connect_ex(('127.0.0.1', port)) == 0:
                    return
            time.sleep(0.02)
        raise SystemExit('bench: docker-registry does not start')

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, url, data=b'', **headers):
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.headers

    def put_blob(self, repository, data):
        at = self.ask('POST', f'http://{self.host}/v2/{repository}/blobs/uploads/')['Location']
        self.ask('PUT', f'{at}&digest={sha256(data)}', data, **{'Content-Type': 'application/octet-stream'})
        return {'digest': sha256(data), 'size': len(data)}

    def put_image(self, repository, tag, config, layers):
        manifest = {'schemaVersion': 2, 'mediaType': MANIFEST,
                    'config': {'mediaType': CONFIG, **self.put_blob(repository, config)},
                    'layers': [{'mediaType': LAYER, **self.put_blob(repository, data)} for data in layers]}
        self.ask('PUT', f'http://{self.host}/v2/{repository}/manifests/{tag}',
                 json.dumps(manifest).encode(), **{'Content-Type': MANIFEST})
        return [l['digest'] for l in manifest['layers']]


class Content:
    """The two layers, made once: as tar archives, and packed."""
    layers = None
    packed = []     # (gzip's bytes, the tar's SHA-256 once something else went before)

    @classmethod
    def make(cls, bench):
        if cls.layers:
            return
        source = Import()
        source.prepare(bench)
        tree = bench.directory / 'layer'
        write_files(tree / 'tree', 1)
        with tarfile.open(bench.directory / 'layer.tar', 'w', format=tarfile.USTAR_FORMAT) as tar:
            tar.add(tree / 'tree', 'tree', filter=cls.plain)
        cls.layers = [source.original, bench.directory / 'layer.tar']

    @staticmethod
    def plain(info):
        info.uname = info.gname = ''
        return info

    @classmethod
    def pack(cls):
        if not cls.packed:
            cls.packed = [subprocess.run(['gzip', '-nc', path], stdout=subprocess.PIPE, check=True).stdout
                          for path in cls.layers]

    @classmethod
    def put(cls, registry, repository, n):
        """Another image in each round: each layer begins with a file of that round's."""
        packed, ids = [], []
        for i, tar in enumerate(cls.layers):
            mark = cls.entry(f'mark-{n}-{i}')
            digest = hashlib.sha256(mark)
            with open(tar, 'rb') as f:
                while data := f.read(1 << 20):
                    digest.update(data)
            ids.append('sha256:' + digest.hexdigest())
            packed.append(gzip.compress(mark) + cls.packed[i])
        config = {'architecture': 'amd64', 'os': 'linux', 'created': '2026-01-01T00:00:00Z',
                  'config': {'Cmd': ['sh']}, 'rootfs': {'type': 'layers', 'diff_ids': ids}}
        return registry.put_image(repository, str(n), json.dumps(config).encode(), packed)

    @staticmethod
    def entry(name):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as tar:
            tar.addfile(tarfile.TarInfo(name))
        return out.getvalue()[:512]


class Transfer(Workload):
    group, slow = 'registry', True

    def __init__(self):
        self.registries = []
        self.names = []     # of all images, without their tags

    def takes_part(self, tool):
        return tool.moves

    def start(self, bench, name):
        if not shutil.which('docker-registry'):
            raise SystemExit('bench: docker-registry is missing')
        self.registries.append(Registry(bench.directory / f'{self.name}-registry-{name}'))
        self.names.append(f'{self.registries[-1].host}/bench-{self.name}')
        return self.registries[-1]

    def stop(self):
        while self.registries:
            self.registries.pop().stop()

    def tidy(self, bench, tool):
        self.stop()

    def images(self):
        return [f'{name}:{n}' for name in self.names for n in range(self.round + 1)]


class Pull(Transfer):
    name, title, target = 'pull', f'`pull` of Debian and {FILES:,} files', 2

    def prepare(self, bench):
        Content.make(bench)
        Content.pack()
        self.registry = self.start(bench, 'all')

    def fresh(self, bench, n):
        super().fresh(bench, n)
        self.digests = Content.put(self.registry, f'bench-{self.name}', n)

    def image(self):
        return f'{self.names[-1]}:{self.round}'

    def argv(self, bench, tool):
        return tool.pull(self.image())

    def check(self, bench, tool):
        # skopeo tells how large the packed layers are
        self.check_size(tool, sum(map(len, Content.packed)))

    def floor(self, bench):
        steps = []
        for i, digest in enumerate(self.digests):
            at = bench.directory / f'{self.name}-floor-{self.round}-{i}'
            at.mkdir()
            url = f'http://{self.registry.host}/v2/bench-{self.name}/blobs/{digest}'
            steps.append(f'(cd {shlex.quote(str(at))} && mkdir tree && curl -s -o blob {url} && '
                         'sha256sum blob && tar -C tree -xzf blob) &')
        return ['sh', '-c', ' '.join(steps) + ' wait']


class PullAgain(Pull):
    name, title, target, slow = 'pull_again', '`pull` of what is there', 5, False

    def prepare(self, bench):
        super().prepare(bench)
        Content.put(self.registry, f'bench-{self.name}', 0)

    def fresh(self, bench, n):
        pass

    def warm(self, bench, tool):
        bench.quiet(tool, self.argv(bench, tool))

    def floor(self, bench):
        return ['curl', '-s', '-o', '/dev/null', '-I', '-H', f'Accept: {MANIFEST}',
                f'http://{self.registry.host}/v2/bench-{self.name}/manifests/0']


class Push(Transfer):
    """To a registry that is new in each round, and each tool's own: nobody remembers anything of it."""
    name, title, target = 'push', f'`push` of Debian and {FILES:,} files', 2
    LOADED = 'localhost/bench-loaded:0'

    def prepare(self, bench):
        Content.make(bench)
        path = bench.directory / 'loaded.tar'
        if path.exists():
            return
        archive(path, [(self.LOADED, 0)], Content.layers)
        for tool in bench.tools:
            if tool.moves:
                bench.quiet(tool, tool.load(path, self.LOADED))

    def fresh(self, bench, n):
        super().fresh(bench, n)
        self.stop()
        self.to = {tool.name: self.start(bench, f'{n}-{tool.name}') for tool in bench.tools if tool.moves}
        self.bare = self.start(bench, f'{n}-floor')
        for tool in bench.tools:
            if tool.moves and (before := tool.push(self.LOADED, self.name_for(tool))[0]):
                bench.quiet(tool, before)

    def name_for(self, tool):
        return f'{self.to[tool.name].host}/bench-{self.name}:0'

    def images(self):
        return [self.LOADED] + [f'{name}:0' for name in self.names]

    def argv(self, bench, tool):
        return tool.push(self.LOADED, self.name_for(tool))[1] if self.registries else ['true']

    def manifest(self, registry):
        return f'http://{registry.host}/v2/bench-{self.name}/manifests/0'

    def check(self, bench, tool):
        kinds = f'{MANIFEST}, application/vnd.oci.image.manifest.v1+json'
        self.to[tool.name].ask('GET', self.manifest(self.to[tool.name]), None, Accept=kinds)

    def floor(self, bench):
        at = bench.directory / f'{self.name}-floor-{self.round}'
        at.mkdir()
        url = f'http://{self.bare.host}/v2/bench-{self.name}/blobs/uploads/'
        steps = [f'(gzip -1c {shlex.quote(str(tar))} >{i} && sum=$(sha256sum {i}) && '
                 f"to=$(curl -s -D - -o /dev/null -X POST {url} | tr -d '\\r' | sed -n 's/^Location: //p') && "
                 f'curl -s -o /dev/null -T {i} "$to&digest=sha256:${{sum%% *}}") &'
                 for i, tar in enumerate(Content.layers)]
        return ['sh', '-c', f'cd {shlex.quote(str(at))} && {{ ' + ' '.join(steps) + ' wait; }']


class PushAgain(Push):
    name, title, target, slow = 'push_again', '`push` of what is there', 5, False

    def prepare(self, bench):
        super().prepare(bench)
        super().fresh(bench, 0)

    def fresh(self, bench, n):
        pass

    def warm(self, bench, tool):
        bench.quiet(tool, self.argv(bench, tool))

    def floor(self, bench):
        return ['curl', '-s', '-o', '/dev/null', '-I', self.manifest(self.to[bench.stave.name])]


ALL = [Pull(), PullAgain(), Push(), PushAgain()]
