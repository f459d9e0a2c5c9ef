"""Sends the requests, from a core of its own: wrk, and `surge volley` for what wrk cannot do (loadtest/README.md)."""

import json
import os
import re
import secrets
import subprocess
import sys

from servers import HERE, HOUSE, SPORTELLO

SURGE = HOUSE / "target" / "release" / "surge"
GENERATOR_CORE = "1"


def wrk(server, connections, arguments, environment=None):
    """Sends one request a line; returns the number of replies, the mean bytes of a reply, and the seconds taken."""
    command = ["taskset", "-c", GENERATOR_CORE, "wrk", "-t1", f"-c{connections}", "-d120", "--timeout", "30",
               "-s", HERE / "requests.lua", server.address, "--", *arguments]
    told = subprocess.run(list(map(str, command)), env={**os.environ, **(environment or {})},
                          capture_output=True, text=True, check=False)
    if told.returncode != 0 or "Non-2xx" in told.stdout or "Socket errors" in told.stdout:
        sys.exit(f"the requests failed:\n{told.stdout}{told.stderr}")
    count, size, unit = re.search(r"(\d+) requests in \S+, ([\d.]+)(\w*)B read", told.stdout).groups()
    size = float(size) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit]
    took, unit = re.search(r"requests in ([\d.]+)(us|ms|s|m|h),", told.stdout).groups()
    seconds = float(took) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit]
    return int(count), size / int(count), seconds


class Volley:
    """`surge volley`, paused when its connections are open and again when all requests are answered."""

    def __init__(self, server, *arguments):
        command = ["taskset", "-c", GENERATOR_CORE, SURGE, "volley", "--stepwise", "--target", server.address,
                   "--ca", server.certificate, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            self.process = subprocess.Popen(list(map(str, command)), text=True, **pipes)
        except OSError as error:
            sys.exit(f"surge does not start ({error}); build it with `cargo build --release --workspace`")

    def until(self, step):
        if self.process.stdout.readline().strip() != step:
            sys.exit(f"the requests failed:\n{self.process.stderr.read()}")

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def figures(self):
        """After the last step: closes the connections and returns the figures."""
        told, said = self.process.communicate("\n")
        if self.process.returncode != 0:
            sys.exit(f"the requests failed:\n{said}")
        return json.loads(told)


def volley(server, *arguments):
    """The figures of a volley, with the server's CPU for each request, excluding the opening of connections."""
    sent = Volley(server, *arguments)
    sent.until("connected")
    before = server.settled_cpu_seconds()
    sent.go_on()
    sent.until("answered")
    used = server.settled_cpu_seconds() - before
    figures = sent.figures()
    return {**figures, "cpu": used / figures["count"]}


class People:
    """Fictional people and their sessions at Sportello; each of them applies once."""

    def __init__(self, place, sportello, count):
        self.place, self.sportello = place, sportello
        minted = [SPORTELLO, "mint", "--data", sportello.data, "--count", str(count)]
        told = subprocess.run(minted, stdout=subprocess.PIPE, text=True, check=True)
        self.waiting = told.stdout.splitlines(keepends=True)

    def next_visits(self, count):
        """The next people and a visit of each: a file with lines of `code<TAB>identity token<TAB>visit`."""
        people = self.place / "people"
        with people.open("w") as file:
            file.writelines(f"{line.rstrip()}\t{secrets.token_urlsafe(16)}\n" for line in self.waiting[:count])
        self.waiting = self.waiting[count:]
        return people

    def open_sessions(self, count):
        """Opens sessions for the next people; returns a file with lines of `code<TAB>token<TAB>visit`."""
        people, sessions = self.next_visits(count), self.place / "sessions"
        wrk(self.sportello, 1, [people, sessions], {"OPEN_SESSIONS": "1"})
        opened = len(sessions.read_text().splitlines())
        if opened != count:
            sys.exit(f"only {opened} of {count} sessions were opened")
        return sessions
