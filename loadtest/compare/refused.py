"""CPU of a refused connection, compared with an accepted one."""

import socket
import sys

from clients import People, volley
from pairs import MICRO, Table, of, ratio, run_pair
from servers import Sportello

REFUSED, ACCEPTED = of("refused", "cpu", MICRO), of("accepted", "cpu", MICRO)
COLUMNS = [("us refused", 1, REFUSED), ("us accepted", 1, ACCEPTED), ("ratio", 3, ratio(REFUSED, ACCEPTED))]
# Connections opened together, so that the server finds several waiting in its backlog.
TOGETHER = 64


def refused(place, asked):
    """CPU of a connection beyond the limit, closed before TLS, compared with handshake, entering and submission."""
    # One silent connection takes the only place for the whole measurement.
    bounds = {"SPORTELLO_HTTP_CONNECTIONS_MAX": "1", "SPORTELLO_HTTP_HANDSHAKE_MS_MAX": "600000"}
    with Sportello(place / "open") as server, Sportello(place / "full", bounds) as full:
        people, template = People(place, server, asked.pairs * asked.requests), server.template(place)
        address = "127.0.0.1", int(full.address.rsplit(":", 1)[1])

        def accepted():
            shaken = volley(server, "--handshakes", "--count", asked.requests, "--connections", asked.connections)
            before = server.settled_cpu_seconds()
            sessions = people.open_sessions(asked.requests)
            entered = (server.settled_cpu_seconds() - before) / asked.requests
            sent = volley(server, "--sessions", sessions, "--template", template, "--connections", asked.connections)
            return {"cpu": shaken["cpu"] + entered + sent["cpu"]}

        def turned_away():
            crowds = -(-asked.requests // TOGETHER)
            before = full.settled_cpu_seconds()
            for _ in range(crowds):
                crowd = [socket.create_connection(address) for _ in range(TOGETHER)]
                for connection in crowd:
                    with connection:
                        if connection.recv(1):
                            sys.exit("the server sent data to a connection beyond its limit")
            return {"cpu": (full.settled_cpu_seconds() - before) / (crowds * TOGETHER)}

        measures = {"refused": turned_away, "accepted": accepted}
        with socket.create_connection(address):
            table = Table(COLUMNS)
            for number in range(asked.pairs):
                pair = run_pair(number, list(measures), lambda name: measures[name](), (server, full))
                # The first warms up.
                if number:
                    table.add(pair)
            medians = table.medians()
        server.verified(asked.pairs * asked.requests)
    print(f"a refused connection takes {medians['ratio']:.3f} of the CPU of an accepted one, {asked.pairs - 1} pairs")
