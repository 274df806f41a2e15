# SPDX-License-Identifier: Apache-2.0
"""The workloads: what is prepared, what is measured, what it costs at least.

Each has a name, a title and its target (how many times faster than the best
peer), and:
  prepare(bench)       once
  warm(bench, tool)    once for each tool, not measured
  fresh(bench, n)      before each round, not measured: what must be new
  argv(bench, tool)    the command that is measured, None when the tool has none
  check(bench, tool)   after each sample, not measured: that the work was done
  floor(bench)         the bare work, as a command

Nothing is deleted between samples: ext4 does not hand out the inodes of the
last minutes' deleted files and searches past them, file by file, so that a
clean-up would multiply the time of whatever comes after it.  What is new has
new names instead, and all goes at the end.
"""
import os
import random
import shlex
import shutil
import subprocess

from measure import Failure

BASE = 'bench-base'
FILES = 20000
PER_DIRECTORY = 100
STEPS = 20


def write_context(directory, dockerfile):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / 'Dockerfile').write_text(dockerfile)
    return directory


def write_files(directory, seed):
    """20,000 files of 0.5 to 8 kB, like sources; another seed, other content everywhere."""
    rng = random.Random(seed)
    pool = rng.randbytes(65536)
    for i in range(FILES):
        if i % PER_DIRECTORY == 0:
            parent = directory / f'd{i // PER_DIRECTORY:03}'
            parent.mkdir(parents=True)
        start, size = rng.randrange(50000), rng.randrange(512, 8192)
        with open(parent / f'file{i:05}.txt', 'wb') as f:
            f.write(f'{seed} {i}\n'.encode() + pool[start:start + size])


class Workload:
    name = title = ''
    target = 1
    cpu_only = False    # the target is one for CPU time alone
    slow = False        # fewer rounds: a peer takes many seconds
    round = 0
    group = 'work'      # its table in the README

    def prepare(self, bench):
        pass

    def takes_part(self, tool):
        return tool.builds

    def warm(self, bench, tool):
        pass

    def fresh(self, bench, n):
        self.round = n

    def image(self):
        """A name for this round, so that no image loses its name and stays behind."""
        return f'bench-{self.name}:{self.round}'

    def images(self):
        return [f'bench-{self.name}:{n}' for n in range(self.round + 1)]

    def check(self, bench, tool):
        pass

    def remark(self, bench):
        """A sentence below the table; after the samples, before tidy()."""
        return ''

    def tidy(self, bench, tool):
        """At the end: what is no image."""

    def check_size(self, tool, least):
        size = tool.size_of(self.image())
        if size < least:
            raise Failure(f'{tool.name}: {self.image()} has {size:.0f} bytes, expected {least}')


class Rebuild(Workload):
    """Everything is cached: the second build, and the hundredth."""

    def context(self, bench):
        return bench.directory / self.name

    def warm(self, bench, tool):
        for _ in range(2):
            bench.quiet(tool, self.argv(bench, tool))

    def image(self):
        return f'bench-{self.name}:0'

    def argv(self, bench, tool):
        return tool.build(self.context(bench), self.image())


class Noop5(Rebuild):
    name, title, target = 'noop5', 'no-op rebuild, five lines', 30

    def prepare(self, bench):
        context = write_context(self.context(bench), f'FROM {BASE}\nRUN echo hello >/hello\n'
                                'COPY greeting /greeting\nENV A=b\nCMD ["cat", "/greeting"]\n')
        (context / 'greeting').write_text('hello\n')

    def floor(self, bench):
        return [bench.floor, 'rebuild', str(self.context(bench))]


class Noop20k(Rebuild):
    name, title, target, slow = 'noop20k', 'no-op rebuild, COPY of 20,000 files', 10, True

    def prepare(self, bench):
        context = write_context(self.context(bench), f'FROM {BASE}\nCOPY tree /tree\n')
        write_files(context / 'tree', 1)

    def floor(self, bench):
        return [bench.floor, 'walk', str(self.context(bench) / 'tree')]


class RunTrue(Workload):
    name, title, target = 'run_true', '`run --rm IMAGE true`', 15

    def argv(self, bench, tool):
        return tool.run(BASE, 'true') if tool.runs else None

    def floor(self, bench):
        return bench.in_floor_container(1, '/bin/true')


class Run20(Workload):
    name, title, target = 'run20', f'{STEPS} small RUN steps, cold', 8

    def prepare(self, bench):
        write_context(bench.directory / self.name, f'FROM {BASE}\n' +
                      ''.join(f'RUN echo {n} >/step{n}\n' for n in range(STEPS)))

    def argv(self, bench, tool):
        return tool.build(bench.directory / self.name, self.image(), cache=False)

    def floor(self, bench):
        return bench.in_floor_container(STEPS, '/bin/sh', '-c', 'echo 1 >/step1')


class Copy20k(Workload):
    """New content for each round, the same for each tool in it."""
    name, title, target, slow = 'copy20k', 'cold COPY of 20,000 files', 3, True

    def prepare(self, bench):
        self.tree = write_context(bench.directory / self.name,
                                  f'FROM {BASE}\nCOPY tree /tree\n') / 'tree'

    def fresh(self, bench, n):
        super().fresh(bench, n)
        if self.tree.exists():
            self.tree.rename(bench.directory / f'old-tree-{n}')
        write_files(self.tree, f'{os.getpid()}.{n}')

    def argv(self, bench, tool):
        return tool.build(bench.directory / self.name, self.image(), cache=False)

    def check(self, bench, tool):
        self.check_size(tool, FILES * 4000)

    def floor(self, bench):
        copy = shlex.quote(str(bench.directory / f'floor-copy-{self.round}'))
        return ['sh', '-c', f'cp -r {shlex.quote(str(self.tree))} {copy} && '
                f'find {copy} -type f -print0 | xargs -0 sha256sum']


class Import(Workload):
    name, title, target, cpu_only, slow = 'import', 'import of a Debian tree', 2, True, True

    def prepare(self, bench):
        self.original = bench.directory / 'debian.tar'
        source = os.environ.get('BENCH_TREE')
        if source and os.path.isfile(source):
            shutil.copyfile(source, self.original)
        else:
            source = source or self.debootstrap(bench.directory / 'debian')
            subprocess.run(['tar', '-C', source, '-cf', self.original, '.'], check=True)
        self.title = f'import of a Debian tree, {self.original.stat().st_size // 10 ** 6} MB'
        self.tar = self.original

    def fresh(self, bench, n):
        """One more file makes it another layer, which no tool has."""
        super().fresh(bench, n)
        mark = bench.directory / 'round'
        mark.write_text(f'{os.getpid()}.{n}\n')
        self.tar = bench.directory / f'debian-{n}.tar'
        shutil.copyfile(self.original, self.tar)
        subprocess.run(['tar', '-C', bench.directory, '-rf', self.tar, mark.name], check=True)

    @staticmethod
    def debootstrap(tree):
        mirror = os.environ.get('BENCH_MIRROR', 'http://deb.debian.org/debian')
        subprocess.run(['debootstrap', '--variant=minbase', 'bookworm', tree, mirror],
                       check=True, stdout=subprocess.DEVNULL)
        return tree

    def argv(self, bench, tool):
        return tool.import_tar(self.tar, self.image()) if tool.imports else None

    def check(self, bench, tool):
        self.check_size(tool, self.tar.stat().st_size // 2)

    def floor(self, bench):
        tree = bench.directory / f'floor-tree-{self.round}'
        tree.mkdir()
        tar = shlex.quote(str(self.tar))
        return ['sh', '-c', f'tar -C {shlex.quote(str(tree))} -xf {tar} && sha256sum {tar}']


ALL = [Noop5(), Noop20k(), RunTrue(), Run20(), Copy20k(), Import()]
