# SPDX-License-Identifier: Apache-2.0
"""From samples to figures, a table, and the README."""
import datetime
import os
import re
import statistics


def figures(samples):
    """What is kept of one tool's samples in one workload."""
    walls, cpus = [s.wall for s in samples], [s.cpu for s in samples]
    return {'rounds': len(samples),
            'wall': statistics.median(walls), 'wall_min': min(walls),
            'cpu': statistics.median(cpus), 'cpu_min': min(cpus),
            'peak_mb': max(s.peak for s in samples)}


def best(tools, metric):
    """(name, seconds) of the fastest peer, or None."""
    peers = {name: f[metric] for name, f in tools.items() if name not in ('stave', 'floor')}
    return min(peers.items(), key=lambda item: item[1], default=None)


def seconds(value):
    if value < 0.0995:
        return f'{value * 1e3:.1f} ms' if value < 0.00995 else f'{value * 1e3:.0f} ms'
    return f'{value:.2f} s' if value < 9.95 else f'{value:.1f} s'


def ratio(value):
    return f'{value:.1f}×' if value < 9.95 else f'{value:.0f}×'


def row(workload, tools):
    ours, floor = tools['stave'], tools['floor']
    cells = [workload.title, f"{seconds(ours['wall'])} / {seconds(ours['cpu'])}"]
    winners = [best(tools, 'wall'), best(tools, 'cpu')]
    if all(winners):
        cells.append(' / '.join(f'{seconds(value)} ({name})' for name, value in winners))
        cells += [ratio(winners[i][1] / ours[metric]) for i, metric in enumerate(('wall', 'cpu'))]
    else:
        cells += ['none here', '', '']
    cells.append(f"{seconds(floor['wall'])} / {seconds(floor['cpu'])}")
    cells.append(f"{ours['peak_mb']:.0f} MB")
    cells.append(f"{workload.target}×" + (' (CPU)' if workload.cpu_only else ''))
    return '| ' + ' | '.join(cells) + ' |'


def table(workloads, results):
    lines = ['| wall / CPU | stave | best peer | ratio, wall | ratio, CPU | floor | peak | target |',
             '|---|---|---|---|---|---|---|---|']
    lines += [row(w, results[w.name]) for w in workloads if w.name in results]
    return '\n'.join(lines)


def every_tool(workloads, results):
    """The second table: who took how long, for those who want it all."""
    names = []
    for tools in results.values():
        names += [name for name in tools if name not in names]
    lines = ['| wall / CPU (median) | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    for w in workloads:
        tools = results.get(w.name, {})
        cells = [f"{seconds(tools[n]['wall'])} / {seconds(tools[n]['cpu'])}" if n in tools else ''
                 for n in names]
        lines.append(f'| {w.name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def shortfall(workload, tools):
    """A sentence when the target is missed: by how much, and against whom it is met."""
    metrics = ('cpu',) if workload.cpu_only else ('wall', 'cpu')
    peers = [name for name in tools if name not in ('stave', 'floor')]
    ratios = {name: min(tools[name][m] / tools['stave'][m] for m in metrics) for name in peers}
    missed = [name for name in peers if ratios[name] < workload.target]
    if not missed:
        return ''
    against = ', '.join(f'{name} {ratio(ratios[name])}' for name in peers)
    floor = min(tools[name][m] / tools['floor'][m] for name in missed for m in metrics)
    return (f'{workload.title} misses its {workload.target}× against {", ".join(missed)}, against '
            f'which the floor itself reaches {ratio(floor)} (the lesser of wall and CPU: {against}).')


def shortfalls(workloads, results):
    lines = [shortfall(w, results[w.name]) for w in workloads if w.name in results]
    return '\n'.join(line for line in lines if line)


def cpu_model():
    with open('/proc/cpuinfo') as f:
        found = re.search(r'^model name\s*:\s*(.*)$', f.read(), re.M)
    return found.group(1).strip() if found else os.uname().machine


def circumstances(tools, load):
    """Where and when, as a dictionary that goes into the JSON and into the text."""
    return {'date': datetime.date.today().isoformat(), 'kernel': os.uname().release,
            'cpus': os.cpu_count(), 'cpu': cpu_model(),
            'load': [round(load[0], 2), round(os.getloadavg()[0], 2)],
            'versions': {t.name: t.version() for t in tools},
            'notes': {t.name: t.note for t in tools if t.note}}


def text(about, rounds):
    versions = ', '.join(about['versions'].values())
    notes = ''.join(f'; {name}: `{note}`' for name, note in about['notes'].items())
    return (f"Medians of {rounds[0]} interleaved rounds ({rounds[1]} for 20,000 files, whole images and many containers), "
            f"{about['date']}, Linux {about['kernel']}, {about['cpus']} × {about['cpu']}, "
            f"load average {about['load'][0]} before and {about['load'][1]} after; "
            f"{versions}{notes}.")


def section(workloads, results, about, rounds):
    """The table and what has to be said of it."""
    below = filter(None, (text(about, rounds), ' '.join(about['remarks']), shortfalls(workloads, results)))
    return '\n\n'.join((table(workloads, results), *below))


def update_readme(path, group, content):
    old = path.read_text()
    mark = {'work': 'bench'}.get(group, f'bench-{group}')
    new, count = re.subn(rf'(<!-- {mark}:begin -->\n).*?(<!-- {mark}:end -->)',
                         lambda m: m.group(1) + content + '\n' + m.group(2), old, flags=re.S)
    if count != 1:
        raise SystemExit(f'{path} has no place for the table: <!-- {mark}:begin -->')
    path.write_text(new)
