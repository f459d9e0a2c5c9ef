#!/usr/bin/env python3
"""Compares Sportello with nginx or axum, which answer the same requests from memory, and with two small services.

    loadtest/compare/run.py [ROW] [--beside nginx] [--pairs 8] [--requests N] [--connections N] [--rate N] [--streams N]

Each server runs on one core and the generator on another. Both get the same requests in turn; the result is the CPU time
of the server's process for each request. Sportello decides, commits and syncs every submission; `sportello verify` counts
them afterwards. Needs nginx, wrk, two cores and `cargo build --release --workspace`.

ROW is one of:
"""

import argparse
import tempfile
from pathlib import Path

import beside
import idle
import measures
import refused
import services
import visits

# The function of each row, requests of a pair, and connections.
ROWS = {
    "submissions": (beside.submissions, 15000, 256),
    "kept": (beside.kept, 15000, 256),
    "steady": (beside.steady, None, 256),
    "http2": (beside.http2, 15000, 64),
    "handshakes": (beside.handshakes, 4000, 32),
    "idle": (idle.idle, 1, 19500),
    "refused": (refused.refused, 6400, 64),
    "peers": (services.peers, 6000, 64),
    "visit": (visits.visit, None, 1024),
}
# Requests a second, or visits, of the rows with a rate.
RATES = {"steady": 10000, "visit": 200}


def main():
    about = __doc__ + "\n".join(f"  {name:<12} {row.__doc__}" for name, (row, _, _) in ROWS.items())
    asked = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("row", nargs="?", choices=ROWS, default="submissions")
    asked.add_argument("--beside", choices=measures.MEASURES, default="nginx", help="the baseline of all rows except refused and peers")
    asked.add_argument("--pairs", type=int, default=8, help="measurements of each server; the first warms up")
    asked.add_argument("--requests", type=int, help="requests of a pair")
    asked.add_argument("--connections", type=int)
    asked.add_argument("--rate", type=float, help="steady, visit: requests or visits a second")
    asked.add_argument("--streams", type=int, default=16, help="http2: concurrent requests on each connection")
    asked = asked.parse_args()
    row, requests, connections = ROWS[asked.row]
    asked.rate = asked.rate or RATES.get(asked.row, 0)
    # A measurement at a rate lasts ten seconds, or less at a high one.
    asked.requests = asked.requests or requests or min(int(asked.rate * 10), 30000)
    asked.connections = asked.connections or connections
    measures.built(asked.beside)
    with tempfile.TemporaryDirectory() as place:
        row(Path(place), asked)


if __name__ == "__main__":
    main()
