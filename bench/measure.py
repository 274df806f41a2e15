# SPDX-License-Identifier: Apache-2.0
"""One sample: wall time, CPU time of a client and of the daemons, peak memory.

The client's CPU time is what wait(2) says of it and of all that it left
behind (bench/measure.c).  A daemon's is read before and after: its own from
its process clock (nanoseconds, threads that ended included), its reaped
children's from /proc/PID/stat (ticks of 10 ms).  A process that is nobody's
child there and begins and ends within the sample (a containerd-shim) is not
seen, and neither is what the kernel does in threads of its own: both errors
are in favour of the peers that have a daemon.
"""
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

DAEMONS = re.compile(r'dockerd|containerd(-shim.*)?|buildkitd')
TICK = 1e9 / os.sysconf('SC_CLK_TCK')
SETTLE = 0.1    # a daemon tidies up after its client is gone


class Failure(Exception):
    """A command that was to be measured failed: its time means nothing."""


@dataclass
class Sample:
    wall: float     # seconds
    cpu: float      # seconds, client and daemons
    peak: float     # MB, the largest process of the client's tree


def stat_fields(pid):
    """comm, parent, and the ticks of the children that it has waited for."""
    text = Path(f'/proc/{pid}/stat').read_text()
    comm, rest = text[text.index('(') + 1:text.rindex(')')], text[text.rindex(')') + 2:].split()
    return comm, int(rest[1]), int(rest[13]) + int(rest[14])


def processes():
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                found[int(name)] = stat_fields(name)
            except (OSError, ValueError):
                pass
    return found


def daemon_times():
    """pid → nanoseconds, of the daemons and of all that descends from them."""
    everything = processes()
    members = {pid for pid, (comm, _, _) in everything.items() if DAEMONS.fullmatch(comm)}
    grown = True
    while grown:
        more = {pid for pid, (_, parent, _) in everything.items() if parent in members} - members
        members |= more
        grown = bool(more)
    times = {}
    for pid in members:
        try:
            times[pid] = time.clock_gettime_ns(~pid << 3 | 2) + everything[pid][2] * TICK
        except OSError:
            pass
    return times


def tree_of(pid):
    """The processes below `pid`, without it."""
    todo, found = [pid], []
    while todo:
        parent = todo.pop()
        try:
            for task in os.listdir(f'/proc/{parent}/task'):
                children = Path(f'/proc/{parent}/task/{task}/children').read_text().split()
                todo += map(int, children)
                found += map(int, children)
        except OSError:
            pass
    return found


def pss(pid):
    """Proportional set size in kB: what is shared counts once over a tree."""
    try:
        with open(f'/proc/{pid}/smaps_rollup') as f:
            return next((int(line.split()[1]) for line in f if line.startswith('Pss:')), 0)
    except OSError:
        return 0


class Meter:
    """Runs commands through bench/measure.c and keeps their output."""

    def __init__(self, program, directory):
        self.program = str(program)
        self.numbers = directory / 'sample'
        self.log = directory / 'output'

    def _spawn(self, argv, env):
        return subprocess.Popen([self.program, str(self.numbers), *argv], env=env,
                                stdin=subprocess.DEVNULL, stdout=open(self.log, 'w'),
                                stderr=subprocess.STDOUT, close_fds=True)

    def sample(self, argv, env=None, daemons=False):
        before = daemon_times() if daemons else {}
        self._spawn(argv, env).wait()
        if daemons:
            time.sleep(SETTLE)
        after = daemon_times() if daemons else {}
        wall, cpu, peak, status = map(int, self.numbers.read_text().split())
        if status != 0:
            raise Failure(f'{" ".join(argv)}: exit status {status}\n{self.log.read_text()[-2000:]}')
        cpu += sum(max(0, after[pid] - before.get(pid, 0)) for pid in after)
        return Sample(wall / 1e9, cpu / 1e9, peak / 1024)

    def tree_peak(self, argv, env=None):
        """The peak of all processes together in MB, looked at every millisecond."""
        process = self._spawn(argv, env)
        peak = 0
        done = threading.Event()
        threading.Thread(target=lambda: (process.wait(), done.set()), daemon=True).start()
        while not done.wait(0.001):
            peak = max(peak, sum(pss(pid) for pid in tree_of(process.pid)))
        return peak / 1024
