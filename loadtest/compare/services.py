"""Comparison with the same counter as two small services: FastAPI and Fastify, each with SQLite."""

import sqlite3
import subprocess
import sys

from clients import People, volley
from pairs import MICRO, Table, of, ratio, run_pair
from servers import HERE, HOUSE, Server, Sportello, free_port

PEERS = HERE / "peers"
PYTHON = HOUSE / "target" / "peers" / "bin" / "python"
# Most sessions that Sportello admits at a time (`gate.leases_max`).
SESSIONS_MAX = 120_000

OURS, FASTAPI, FASTIFY = (of(name, "cpu", MICRO) for name in ("sportello", "fastapi", "fastify"))
COLUMNS = [
    ("us ours", 1, OURS), ("us FastAPI", 1, FASTAPI), ("times", 2, ratio(FASTAPI, OURS)),
    ("us Fastify", 1, FASTIFY), ("times then", 2, ratio(FASTIFY, OURS)),
    *((f"{name} a second", 0, of(name, "per_second")) for name in ("sportello", "fastapi", "fastify")),
]


class Service(Server):
    """One process, started with its port, certificate, key, sessions and database."""

    def __init__(self, name, program, place, sportello, sessions):
        self.database = place / f"{name}.sqlite"
        port = free_port()
        files = sportello.certificate, sportello.key, sessions, self.database
        super().__init__(name, sportello.data, [*program, port, *files])
        self.listens_at(port)

    def verified(self, wanted):
        self.stop()
        with sqlite3.connect(self.database) as database:
            (accepted,) = database.execute("SELECT count(*) FROM applications").fetchone()
        print(f"{self.name}: accepted {accepted}")
        if accepted != wanted:
            sys.exit(f"{self.name}'s database holds {accepted} of {wanted} submissions")


def peers(place, asked):
    """CPU of a submission in small FastAPI and Fastify services with SQLite, closed loop, HTTP/1.1."""
    wanted = asked.pairs * asked.requests
    if wanted > SESSIONS_MAX:
        sys.exit(f"{wanted} sessions are needed, at most {SESSIONS_MAX} can be open: lower --pairs or --requests")
    programs = {
        "fastapi": [PYTHON, PEERS / "fastapi_counter.py"],
        "fastify": ["node", PEERS / "fastify_counter.mjs"],
    }
    installed()
    with Sportello(place / "data") as sportello:
        template = sportello.template(place)
        sessions = People(place, sportello, wanted).open_sessions(wanted)
        start = {name: Service(name, program, place, sportello, sessions) for name, program in programs.items()}
        with start["fastapi"] as fastapi, start["fastify"] as fastify:
            servers = {"sportello": sportello, "fastapi": fastapi, "fastify": fastify}
            lines = sessions.read_text().splitlines(keepends=True)
            part = place / "part"

            def measure(name):
                return volley(servers[name], "--sessions", part, "--template", template,
                              "--connections", asked.connections)

            table = Table(COLUMNS)
            for number in range(asked.pairs):
                part.write_text("".join(lines[number * asked.requests:(number + 1) * asked.requests]))
                pair = run_pair(number, list(servers), measure, servers.values())
                # The first warms up.
                if number:
                    table.add(pair)
            medians = table.medians()
            for server in servers.values():
                server.verified(wanted)
    print(f"{medians['times']:.1f} times as many submissions as FastAPI and {medians['times then']:.1f} times as many as "
          f"Fastify for the same CPU, {asked.connections} connections, {asked.pairs - 1} pairs")


def installed():
    """Exits with the install commands when something is missing."""
    python, peers_here = PYTHON.relative_to(HOUSE), PEERS.relative_to(HOUSE)
    asked = {
        f"python3 -m venv {python.parent.parent} && {python} -m pip install -r {peers_here}/requirements.txt":
            [PYTHON, "-c", "import fastapi, httptools, uvicorn, uvloop"],
        f"npm ci --prefix {peers_here}":
            ["node", "-e", "require('fastify'); new (require('better-sqlite3'))(':memory:')"],
    }
    missing = []
    for remedy, question in asked.items():
        try:
            if subprocess.run(question, cwd=PEERS, capture_output=True, check=False).returncode != 0:
                missing.append(remedy)
        except OSError:
            missing.append(remedy)
    if missing:
        sys.exit("the services are not installed; run:\n  " + "\n  ".join(missing))
