# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared: how each says import, build, run and remove.

An adapter gives command lines; nothing here runs except the questions whether
a tool is there and which flags it needs on this machine.  A path handed to a
tool goes through at(): a tool that lives in a chroot sees the work directory
under another name.
"""
import json
import os
import resource
import shlex
import shutil
import subprocess

ULIMITS = [f'--ulimit={name}={limit}:{limit}' for name, limit in (
    ('nofile', resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
    ('nproc', resource.getrlimit(resource.RLIMIT_NPROC)[1])) if 0 < limit < 1048576]


class Tool:
    """One tool; `daemons` says that others work on its behalf."""
    name = ''
    daemons = False
    imports = True      # has a way of its own to import a tar archive
    runs = True         # can run an image by name
    images = False      # has Docker's commands for images, all of them
    builds = True
    moves = False       # pushes to registries, and pulls
    keeps = False       # has containers in the background

    def __init__(self, command, root=''):
        self.command = command
        self.root = root.rstrip('/')
        self.env = dict(os.environ)
        self.note = ''

    def at(self, path):
        path = str(path)
        if self.root and not path.startswith(self.root + '/'):
            raise SystemExit(f'{path} is outside of {self.root}: {self.name} cannot see it')
        return path[len(self.root):]

    def call(self, argv):
        return subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def found(self):
        return shutil.which(self.command[0]) is not None and \
            self.call(self.command + ['version']).returncode == 0

    def version(self):
        line = self.call(self.command + ['--version']).stdout.strip().splitlines()[-1]
        return line.split(' (')[0].replace(' version', '')

    def settle(self, base, directory):
        """Finds the flags that this machine wants, once `base` is imported."""

    def import_tar(self, tar, image):
        return self.command + ['import', self.at(tar), image]

    def build(self, context, image, cache=True):
        return self.command + ['build', '-t', image] + ([] if cache else ['--no-cache']) + \
            [self.at(context)]

    def run(self, image, *words):
        return self.command + ['run', '--rm', image, *words]

    def detach(self, image, name, *words):
        return self.command + ['run', '-d', '--name', name, image, *words]

    def remove_containers(self, names):
        return self.command + ['rm', '-f', *names]

    def size_of(self, image):
        """Bytes, as the tool itself says."""
        return int(self.call(self.command + ['image', 'inspect', '--format', '{{.Size}}', image])
                   .stdout.strip().splitlines()[-1])

    def remove(self, image):
        return self.command + ['rmi', '-f', image]

    def leave(self):
        """At the very end, before its directory goes."""

    def load(self, archive, image):
        """An archive of Docker's that has the image `image`."""
        return self.command + ['load', '-i', self.at(archive)]

    def push(self, image, name):
        """What `image` is here, to a registry as `name`: a command for before, and the push."""
        return self.command + ['tag', image, name], self.command + ['push', name]

    def pull(self, name):
        return self.command + ['pull', name]


class Stave(Tool):
    name = 'stave'
    images = moves = keeps = True

    def __init__(self, command, store):
        super().__init__(command)
        self.store = store
        self.env['STAVE_ROOT'] = str(store)


class Docker(Tool):
    name = 'docker'
    daemons = True
    images = moves = keeps = True

    def found(self):
        return super().found() and self.call(self.command + ['buildx', 'version']).returncode == 0

    def version(self):
        return 'Docker ' + self.call(
            self.command + ['version', '--format', '{{.Server.Version}}']).stdout.strip()


class DockerClassic(Docker):
    name = 'docker-classic'
    imports = runs = images = moves = keeps = False     # the same as Docker's

    def __init__(self, command, root=''):
        super().__init__(command, root)
        self.env['DOCKER_BUILDKIT'] = '0'

    def found(self):
        return Tool.found(self)

    def version(self):
        return super().version() + ' with DOCKER_BUILDKIT=0'


class Buildah(Tool):
    name = 'buildah'
    runs = False
    # A nested or old machine does not let it do everything: the first that works is taken,
    # from its defaults to the weakest isolation.
    ways = [
        [],
        ['--runtime=runc'],
        ['--runtime=runc', '--network=host'],
        ['--isolation=chroot'],
    ]

    def __init__(self, command, root=''):
        super().__init__(command, root)
        self.flags = []
        self.env.pop('DOCKER_CONFIG', None)     # Docker's own, and perhaps outside of a chroot
        self.env['PODMAN_IGNORE_CGROUPSV1_WARNING'] = '1'
        # netavark's default wants nft, which may not be there; it is told only then
        if not self._has('nft') and self._has('iptables'):
            self.env.setdefault('NETAVARK_FW', 'iptables')

    def _has(self, program):
        # lexists: in a chroot an absolute link (/etc/alternatives) leads nowhere from outside
        return any(os.path.lexists(f'{self.root}{d}/{program}')
                   for d in ('/usr/sbin', '/usr/bin', '/sbin', '/bin'))

    def settle(self, base, directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / 'Dockerfile').write_text(f'FROM {base}\nRUN true\n')
        for flags in self.ways:
            self.flags = flags
            result = self.call(self.build(directory, 'bench-probe', cache=False))
            if result.returncode == 0:
                self.note = ' '.join(flags)
                return
        raise SystemExit(f'{self.name} cannot RUN anything here:\n{result.stdout}')

    def size_of(self, image):
        with_unit = self.call(self.command + ['images', '--format', '{{.Size}}', image]).stdout
        number, unit = with_unit.strip().splitlines()[-1].split()
        return float(number) * {'B': 1, 'KB': 1e3, 'MB': 1e6, 'GB': 1e9}[unit.upper()]

    def import_tar(self, tar, image):
        context = tar.parent / 'buildah-import'
        context.mkdir(exist_ok=True)
        link = context / 'tree.tar'
        link.unlink(missing_ok=True)    # it may be that of another archive
        os.link(tar, link)
        (context / 'Dockerfile').write_text('FROM scratch\nADD tree.tar /\n')
        return self.command + ['build', '--no-cache', '-t', image, self.at(context)]

    def build(self, context, image, cache=True):
        return self.command + ['build', '--layers', *self.flags, *ULIMITS, '-t', image] + \
            ([] if cache else ['--no-cache']) + [self.at(context)]


class Podman(Buildah):
    name = 'podman'
    runs = moves = True
    run_ways = [
        [[], []],
        [['--runtime=runc'], []],
        [['--runtime=runc'], ['--network=host']],
    ]

    def settle(self, base, directory):
        super().settle(base, directory)
        for self.runtime, self.network in self.run_ways:
            result = self.call(self.run(base, 'true'))
            if result.returncode == 0:
                break
        else:
            self.runs = False
        self.keeps = self.runs and self.keeps_containers(base)
        run = ' '.join(self.runtime + self.network) if self.runs else 'impossible'
        self.note = f'build {self.note}, run {run}' if self.note or run else ''

    def keeps_containers(self, base):
        name = f'bench-probe-{os.getpid()}'
        works = self.call(self.detach(base, name, 'sleep', '1000')).returncode == 0 and \
            self.call(self.command + ['exec', name, 'true']).returncode == 0
        self.call(self.remove_containers([name]))
        return works

    def size_of(self, image):
        return Tool.size_of(self, image)

    def import_tar(self, tar, image):
        return Tool.import_tar(self, tar, image)

    def run(self, image, *words):
        return self.command + [*self.runtime, 'run', '--rm', *self.network, image, *words]

    def detach(self, image, name, *words):
        return self.command + [*self.runtime, 'run', '-d', *self.network, '--name', name, image, *words]

    def remove_containers(self, names):
        return self.command + ['rm', '-f', '-t', '0', *names]   # without ten seconds for each

    def push(self, image, name):
        return self.command + ['tag', image, name], self.command + ['push', '--tls-verify=false', name]

    def pull(self, name):
        return self.command + ['pull', '--tls-verify=false', name]


class Skopeo(Tool):
    """Moves between a registry and a store of podman's kind, here one of its own."""
    name = 'skopeo'
    imports = runs = builds = False
    moves = True

    def __init__(self, command, root=''):
        super().__init__(command, root)
        self.env.pop('DOCKER_CONFIG', None)
        self.store = self.mount = None

    def found(self):
        return shutil.which(self.command[0]) is not None and \
            self.call(self.command + ['--version']).returncode == 0

    def settle(self, base, directory):
        directory.mkdir(parents=True, exist_ok=True)
        self.store = f'[overlay@{self.at(directory)}/skopeo+{self.at(directory)}/skopeo-run]'
        self.mount = directory / 'skopeo/overlay'

    def leave(self):
        # it mounts its store onto itself and leaves that behind
        subprocess.run(['umount', self.mount], stderr=subprocess.DEVNULL)

    def copy(self, source, target):
        return self.command + ['copy', '--src-tls-verify=false', '--dest-tls-verify=false', source, target]

    def load(self, archive, image):
        return self.copy(f'docker-archive:{self.at(archive)}:{image}', f'containers-storage:{self.store}{image}')

    def push(self, image, name):
        return None, self.copy(f'containers-storage:{self.store}{image}', f'docker://{name}')

    def pull(self, name):
        return self.copy(f'docker://{name}', f'containers-storage:{self.store}{name}')

    def size_of(self, image):
        result = self.call(self.command + ['inspect', f'containers-storage:{self.store}{image}'])
        return sum(layer['Size'] for layer in json.loads(result.stdout)['LayersData'])

    def remove(self, image):
        return self.command + ['delete', f'containers-storage:{self.store}{image}']


def peers(only):
    """The peers that answer, by the environment and the names asked for."""
    docker = shlex.split(os.environ.get('BENCH_DOCKER', 'docker'))
    root = os.environ.get('BENCH_PEER_ROOT', '')
    tools = [Docker(docker), DockerClassic(docker)]
    for kind, variable in (Buildah, 'BENCH_BUILDAH'), (Podman, 'BENCH_PODMAN'), (Skopeo, 'BENCH_SKOPEO'):
        command = os.environ.get(variable)
        tools.append(kind(shlex.split(command), root) if command else kind([kind.name]))
    return [tool for tool in tools if (not only or tool.name in only) and tool.found()]
