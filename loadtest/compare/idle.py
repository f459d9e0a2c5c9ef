"""Memory of an idle TLS connection, compared with a baseline."""

import resource
import sys
import time

from clients import Volley, volley
from measures import Measure
from pairs import Table, of, ratio, run_pair
from servers import Sportello

KIBI = 1 / 1024
# Connections before the measurement, so that memory kept from the first connections does not count.
WARMING = 64
# After this time a server has released the buffers of an idle connection.
REST_SECONDS = 5
# Most open files of a server besides its connections.
FILES_BESIDE = 200
# Bytes of the reply to the request on each connection.
STATUS_BYTES = 1024


def idle(place, asked):
    """Resident memory of an idle TLS connection, after the handshake and after one request."""
    allow_files(asked.connections + FILES_BESIDE)
    data = place / "data"
    with Sportello(data) as sportello:
        # Only needed to create the certificate.
        sportello.stop()
    # nginx closes idle connections when fewer than 1/16 of its connection slots are free.
    start = {
        "sportello": lambda: Sportello(data, {"SPORTELLO_HTTP_HEAD_MS_MAX": "600000"}),
        asked.beside: lambda: Measure(asked.beside, place, data, STATUS_BYTES, asked.connections * 5 // 4),
    }

    def measure(name):
        # A new process each time, because allocators keep freed memory.
        with start[name]() as server:
            measured = resident(server, asked.connections)
            server.stop()
        return measured

    table = Table(columns(asked.beside))
    for number in range(1, asked.pairs):
        table.add(run_pair(number, list(start), measure))
    medians = table.medians()
    print(f"median ratios to {asked.beside} of {asked.connections} idle connections, {asked.pairs - 1} pairs: "
          f"{medians['ratio']:.2f} after the handshake, {medians['ratio then']:.2f} after a request on each")


def columns(other):
    greeted, asked = ([of(name, key, KIBI) for name in ("sportello", other)] for key in ("greeted", "asked"))
    return [
        ("KiB ours", 2, greeted[0]), (f"KiB {other}", 2, greeted[1]), ("ratio", 2, ratio(*greeted)),
        ("after a request", 2, asked[0]), (other, 2, asked[1]), ("ratio then", 2, ratio(*asked)),
    ]


def resident(server, connections):
    """Bytes of resident memory that each connection adds, without the kernel's memory."""
    def reads(count):
        return "--get", "/v1/status", "--count", count, "--connections", count

    def added():
        server.settled_cpu_seconds()
        return (server.resident_bytes() - before) / connections

    volley(server, *reads(WARMING))
    before = server.resident_bytes()
    sent = Volley(server, *reads(connections))
    sent.until("connected")
    greeted = added()
    sent.go_on()
    sent.until("answered")
    time.sleep(REST_SECONDS)
    # Other connections come and go, as in operation: an allocator returns memory while it is used.
    volley(server, *reads(WARMING))
    measured = {"greeted": greeted, "asked": added()}
    sent.figures()
    return measured


def allow_files(count):
    """Raises the limit on open files for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(count, 2**16)
    if hard < count:
        sys.exit(f"{count} open files are needed and {hard} allowed: raise `ulimit -n`, or lower --connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
