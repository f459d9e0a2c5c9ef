"""Pairs of measurements, with the servers in alternating order and other load on the machine; and their medians."""

import os
import statistics
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MICRO = 1e6


class Machine:
    """CPU time since construction, stolen or used by processes other than this program, its children and `servers`."""

    def __init__(self, servers):
        self.servers = servers
        self.started, self.before = time.time(), self.read()

    def read(self):
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / TICKS_PER_SECOND
        own = sum(os.times()[:4]) + sum(server.cpu_seconds() for server in self.servers)
        return busy, fields[7] / TICKS_PER_SECOND, own

    def percent(self):
        """CPU time of the machine in percent: stolen by the hypervisor, and used by other processes."""
        busy, steal, own = (now - before for now, before in zip(self.read(), self.before))
        whole = (time.time() - self.started) * os.cpu_count()
        return 100 * steal / whole, 100 * max(busy - own - steal, 0) / whole


class Table:
    """A line for each pair and one of medians; a column is a title, a number of decimals and a function of a pair."""

    def __init__(self, columns):
        others = ("steal %", 1, lambda pair: pair["steal"]), ("others %", 1, lambda pair: pair["others"])
        self.columns = [*columns, *others]
        self.rows = []
        print("pair    " + "   ".join(title for title, _, _ in self.columns), flush=True)

    def add(self, pair):
        row = [value(pair) for _, _, value in self.columns]
        self.rows.append(row)
        self.line(str(len(self.rows)), row)

    def medians(self):
        medians = [statistics.median(column) for column in zip(*self.rows)]
        self.line("median", medians)
        return {title: median for (title, _, _), median in zip(self.columns, medians)}

    def line(self, name, row):
        cells = (f"{value:>{max(len(title), 6)}.{decimals}f}" for value, (title, decimals, _) in zip(row, self.columns))
        print(f"{name:<7} " + "   ".join(cells), flush=True)


def run_pair(number, names, measure, servers=()):
    """Measures the servers in alternating order; returns their figures by name, with steal and other load."""
    machine = Machine(servers)
    first = number % len(names)
    pair = {name: measure(name) for name in names[first:] + names[:first]}
    steal, others = machine.percent()
    return {**pair, "steal": steal, "others": others}


def of(name, key, scale=1):
    """A column of one server's `key`."""
    return lambda pair: pair[name][key] * scale


def ratio(above, below):
    """A column of the ratio of two columns."""
    return lambda pair: above(pair) / below(pair)
