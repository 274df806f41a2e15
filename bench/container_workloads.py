# SPDX-License-Identifier: Apache-2.0
"""The workloads of containers that stay: exec, ps, many at once.  See workloads.py.

Tools take part that can keep containers in the background (Tool.keeps).
"""
import json
import os
import shlex
import subprocess
from pathlib import Path

from workloads import BASE, Workload

MANY = 200
DETACHED = 100
FOREVER = ('sleep', '1000000')


def own_kb(pid):
    """What this process alone has written; the program's text is shared with all others."""
    lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('Private_Dirty'))


class Keeping(Workload):
    group = 'containers'

    def takes_part(self, tool):
        return tool.keeps

    def argv(self, bench, tool):
        return self.words(bench, tool) if tool.keeps else None

    def images(self):
        return []


class Exec(Keeping):
    name, title, target = 'exec', '`exec` of true in a container', 10
    floor_container = None

    def container(self):
        return f'bench-exec-{os.getpid()}'

    def prepare(self, bench):
        for tool in bench.tools:
            if tool.keeps:
                bench.quiet(tool, tool.detach(BASE, self.container(), *FOREVER))
        self.floor_container = subprocess.Popen(bench.in_floor_container(1, '/bin/sleep', FOREVER[1]),
                                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def words(self, bench, tool):
        return tool.command + ['exec', self.container(), 'true']

    def floor(self, bench):
        parent = self.floor_container.pid
        child = Path(f'/proc/{parent}/task/{parent}/children').read_text().split()[0]
        return [bench.floor, 'enter', child, '/bin/true']

    def remark(self, bench):
        states = [json.loads(p.read_text()) for p in bench.stave.store.glob('containers/*/state.json')]
        sizes = [own_kb(s['monitor']) for s in states if s.get('monitor')]
        return f'A container in the background costs {max(sizes)} kB of memory of ours: its monitor.' if sizes else ''

    def tidy(self, bench, tool):
        if tool.keeps:
            tool.call(tool.remove_containers([self.container()]))
        if self.floor_container:
            self.floor_container.kill()
            self.floor_container.wait()
            self.floor_container = None


class PsAll(Keeping):
    name, title, target = 'ps200', f'`ps -a`, {MANY} containers', 10

    def names(self):
        return [f'bench-ps-{os.getpid()}-{n}' for n in range(MANY)]

    def prepare(self, bench):
        for tool in bench.tools:
            if tool.keeps:
                for name in self.names():
                    bench.quiet(tool, tool.command + ['create', '--name', name, BASE, 'true'])

    def words(self, bench, tool):
        return tool.command + ['ps', '-a']

    def floor(self, bench):
        return ['/bin/true']

    def tidy(self, bench, tool):
        if tool.keeps:
            tool.call(tool.remove_containers(self.names()))


class Detached(Keeping):
    """One after the other, as a script would, and then all away."""
    name, title, target, slow = 'detached', f'{DETACHED} × `run -d`, then `rm -f`', 5, True

    def names(self, n):
        return [f'bench-d-{os.getpid()}-{n}-{i}' for i in range(DETACHED)]

    def words(self, bench, tool):
        names = self.names(self.round)
        start = shlex.join(tool.detach(BASE, '@', *FOREVER)).replace('@', '"$name"')
        return ['sh', '-c', f'for name in "$@"; do {start} || exit; done; {shlex.join(tool.remove_containers([]))} "$@"',
                'sh', *names]

    def floor(self, bench):
        return bench.in_floor_container(DETACHED, '/bin/true')

    def tidy(self, bench, tool):
        if tool.keeps:
            tool.call(tool.remove_containers(self.names(self.round)))


ALL = [Exec(), PsAll(), Detached()]
