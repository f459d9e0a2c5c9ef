#!/usr/bin/env python3
"""CPU of a submission by that of the same POST at nginx, which answers it from memory.

Both servers run on one core, the generator (wrk) on another; the same requests go to each in turn, and what is compared is
the CPU time that the server's process used, by the requests it answered. Sportello decides, commits and syncs every one of
them; `sportello verify` counts them afterwards.

    loadtest/compare/run.py [--connections 256] [--pairs 8] [--requests 15000]

Needs nginx, wrk and two cores.
"""

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent.parent
SPORTELLO = HOUSE / "target" / "release" / "sportello"
# What nginx says before its answer.
HEAD_BYTES = 160
SERVER_CORE, GENERATOR_CORE = "0", "1"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def machine():
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    busy = (sum(fields) - fields[3] - fields[4]) / TICKS_PER_SECOND
    return busy, fields[7] / TICKS_PER_SECOND


class Server:
    def __init__(self, arguments, environment=None):
        pinned = ["taskset", "-c", SERVER_CORE, *map(str, arguments)]
        self.process = subprocess.Popen(
            pinned, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """However this ends, the server ends with it."""
        self.process.kill()
        self.process.wait()

    def stop(self, how):
        self.process.send_signal(how)
        self.process.wait(timeout=60)


class Sportello(Server):
    def __init__(self, data):
        self.data = data
        super().__init__(
            [SPORTELLO, "serve", "--demo", "--data", data, "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"],
            {
                "SPORTELLO_SERVER_RUNTIMES": "1",
                "SPORTELLO_JUDGES_THREADS": "1",
                "SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND": "1000000",
                "SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST": "1000000",
            },
        )
        words = self.process.stdout.readline().split()
        if len(words) != 4:
            sys.exit("sportello does not start: is it built (cargo build --release)?")
        self.address = words[1]

    def settled(self):
        """Waits until the judges have nothing left to do, so that their time is counted."""
        before = -1.0
        while (now := cpu_seconds(self.process.pid)) != before:
            before = now
            time.sleep(0.3)


class Nginx(Server):
    def __init__(self, place, data, answer_bytes, port):
        text = (HERE / "nginx.conf").read_text()
        for name, value in {
            "PLACE": place, "PORT": port, "CERTIFICATE": data / "demo-cert.pem",
            "KEY": data / "demo-key.pem", "ANSWER": "x" * answer_bytes,
        }.items():
            text = text.replace(name, str(value))
        config = place / "nginx.conf"
        config.write_text(text)
        super().__init__(["nginx", "-p", place, "-c", config])
        self.address = f"https://127.0.0.1:{port}"
        time.sleep(0.5)


def wrk(server, connections, arguments, environment=None):
    """Sends a request a line; returns how many were answered and the bytes of a reply."""
    command = ["taskset", "-c", GENERATOR_CORE, "wrk", "-t1", f"-c{connections}", "-d120", "--timeout", "30",
               "-s", HERE / "requests.lua", server.address, "--", *arguments]
    told = subprocess.run(list(map(str, command)), env={**os.environ, **(environment or {})},
                          capture_output=True, text=True, check=False)
    if told.returncode != 0 or "Non-2xx" in told.stdout or "Socket errors" in told.stdout:
        sys.exit(f"the requests did not go well:\n{told.stdout}{told.stderr}")
    count, size, unit = re.search(r"(\d+) requests in \S+, ([\d.]+)(\w*)B read", told.stdout).groups()
    size = float(size) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit]
    took, unit = re.search(r"requests in ([\d.]+)(us|ms|s|m|h),", told.stdout).groups()
    seconds = float(took) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit]
    return int(count), size / int(count), seconds


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--connections", type=int, default=256)
    asked.add_argument("--pairs", type=int, default=8, help="the first warms up")
    asked.add_argument("--requests", type=int, default=15000, help="a pair")
    asked = asked.parse_args()
    with tempfile.TemporaryDirectory() as place:
        compare(Path(place), asked)


def compare(place, asked):
    data = place / "data"
    count = asked.pairs * asked.requests
    with Sportello(data) as sportello:
        lines = open_sessions(place, sportello, count)
        example = (data / "demo-application.json").read_text()
        template = place / "template.json"
        template.write_text(re.sub(r'("fiscalCode": )"[^"]+"', r'\1"PERSON"', example))
        part = place / "part"

        def load(pair):
            part.write_text("\n".join(lines[pair * asked.requests:(pair + 1) * asked.requests]) + "\n")
            return part

        # The first part tells how long a reply is, and warms up.
        answer_bytes = measure(sportello, asked.connections, load(0), template)["bytes"]
        with Nginx(place, data, max(int(answer_bytes) - HEAD_BYTES, 1), free_port()) as nginx:
            measure(nginx, asked.connections, part, template)
            print("pair   us a submission   us at nginx   ratio   a second   nginx   steal %   others %")
            ratios = [run_pair(pair, sportello, nginx, asked, load(pair), template) for pair in range(1, asked.pairs)]
            nginx.stop(signal.SIGQUIT)
        sportello.stop(signal.SIGTERM)
    told = subprocess.run([SPORTELLO, "verify", "--data", data], capture_output=True, text=True, check=False)
    print(f"median ratio {statistics.median(ratios):.2f} at {asked.connections} connections, {len(ratios)} pairs")
    print(told.stdout.strip())
    accepted = int(re.search(r"accepted (\d+)", told.stdout).group(1))
    if told.returncode != 0 or accepted < count:
        sys.exit(f"{accepted} submissions of {count} are in the ledger\n{told.stderr}")


def open_sessions(place, sportello, count):
    people, sessions = place / "people", place / "sessions"
    with people.open("w") as file:
        subprocess.run([SPORTELLO, "mint", "--data", sportello.data, "--count", str(count)], stdout=file, check=True)
    print(f"opening {count} sessions ...", file=sys.stderr)
    wrk(sportello, 1, ["/v1/sessions", people, sessions], {"OPEN_SESSIONS": "1"})
    lines = sessions.read_text().splitlines()
    if len(lines) != count:
        sys.exit(f"{len(lines)} sessions of {count} were opened")
    return lines


def run_pair(pair, sportello, nginx, asked, part, template):
    """Each first in turn; prints what it cost both, and who else used the machine."""
    started, (busy, steal) = time.time(), machine()
    servers = [sportello, nginx] if pair % 2 else [nginx, sportello]
    costs = {server: measure(server, asked.connections, part, template) for server in servers}
    ours, theirs = costs[sportello], costs[nginx]
    took, (busy_now, steal_now) = time.time() - started, machine()
    known = sum(cost["cpu_total"] + cost["generator"] for cost in costs.values())
    others = max(busy_now - busy - known, 0)
    ratio = ours["cpu"] / theirs["cpu"]
    print(f"{pair:>4}   {ours['cpu'] * 1e6:>15.1f}   {theirs['cpu'] * 1e6:>11.1f}   {ratio:>5.2f}   "
          f"{ours['rate']:>8.0f}   {theirs['rate']:>5.0f}   {100 * (steal_now - steal) / took / 2:>7.1f}   "
          f"{100 * others / took / 2:>8.1f}", flush=True)
    return ratio


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def measure(server, connections, part, template):
    pid = server.process.pid
    before, children = cpu_seconds(pid), os.times()
    count, size, seconds = wrk(server, connections, ["/v1/applications", part, template])
    if isinstance(server, Sportello):
        server.settled()
    used, now = cpu_seconds(pid) - before, os.times()
    generator = now.children_user + now.children_system - children.children_user - children.children_system
    return {"cpu": used / count, "cpu_total": used, "count": count, "bytes": size, "rate": count / seconds, "generator": generator}


if __name__ == "__main__":
    main()
