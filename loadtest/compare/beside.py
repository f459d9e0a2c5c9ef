"""Rows against a baseline, one function each: prints the pairs and their medians, and verifies Sportello's ledger."""

from collections import Counter

from clients import People, volley, wrk
from measures import Measure
from pairs import MICRO, Table, of, ratio, run_pair
from servers import Sportello

# Largest lag of the generator, as a share of the 99th percentile: beyond it, the percentile is not the server's.
LAG_SHARE_MAX = 0.25


def submissions(place, asked):
    """CPU of a submission at saturation, HTTP/1.1, sent by wrk, including the opening of connections."""

    def measure(server, sessions, template):
        before = server.cpu_seconds()
        count, size, seconds = wrk(server, asked.connections, [sessions, template])
        used = server.settled_cpu_seconds() - before
        return {"count": count, "cpu": used / count, "reply_bytes": size, "per_second": count / seconds}

    medians = beside(place, asked, measure, costs, rates)
    print(f"median ratio {medians['ratio']:.2f} to {asked.beside} at {asked.connections} connections, "
          f"{asked.pairs - 1} pairs")


def kept(place, asked):
    """CPU of a submission at saturation, HTTP/1.1, over connections opened beforehand."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template, "--connections", asked.connections)

    medians = beside(place, asked, measure, costs, rates)
    print(f"median ratio {medians['ratio']:.2f} to {asked.beside} at {asked.connections} connections opened beforehand, "
          f"{asked.pairs - 1} pairs")


def steady(place, asked):
    """CPU of a submission and its 99th percentile at a steady rate, open loop, HTTP/1.1."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template,
                      "--connections", asked.connections, "--rate", asked.rate)

    medians = beside(place, asked, measure, costs, latencies)
    print(f"median ratios to {asked.beside} at a steady {asked.rate:g} a second over {asked.connections} connections, "
          f"{asked.pairs - 1} pairs: {medians['ratio']:.2f} of CPU, {medians['p99 ratio']:.2f} of the 99th percentile")
    for lag, p99 in (("lag ms", "p99 ms"), (f"{asked.beside} lag", f"{asked.beside} p99")):
        if medians[lag] > LAG_SHARE_MAX * medians[p99]:
            print(f"invalid: the generator itself lagged by {medians[lag]:.2f} ms, which is too much for a 99th percentile "
                  f"of {medians[p99]:.2f} ms")


def http2(place, asked):
    """CPU of a submission at saturation over HTTP/2."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template,
                      "--http2", "--connections", asked.connections, "--streams", asked.streams)

    medians = beside(place, asked, measure, costs, rates)
    print(f"median ratio {medians['ratio']:.2f} to {asked.beside} over HTTP/2 at {asked.connections} connections with "
          f"{asked.streams} streams each, {asked.pairs - 1} pairs")


def handshakes(place, asked):
    """CPU of a full handshake: ECDSA P-256, TLS 1.3, no resumption, connection closed at once."""
    with Sportello(place / "data") as sportello, Measure(asked.beside, place, sportello.data, 1) as other:
        servers = {"sportello": sportello, asked.beside: other}
        for manner, flags in {"X25519 alone": ["--classical"], "negotiated": []}.items():

            def measure(name):
                return volley(servers[name], "--handshakes", "--count", asked.requests,
                              "--connections", asked.connections, *flags)

            agreed = " and ".join(f"{measure(name)['key_exchange']} at {name}" for name in servers)
            print(f"key exchange {manner}: {agreed}")
            table = table_of(asked.beside, costs, times, rates)
            for number in range(1, asked.pairs):
                table.add(run_pair(number, list(servers), measure, servers.values()))
            medians = table.medians()
            print(f"{medians['times']:.2f} times as many handshakes as {asked.beside} for the same CPU, key exchange {manner}, "
                  f"{asked.pairs - 1} pairs")
        sportello.verified(0)


def beside(place, asked, measure_one, *kinds):
    """Pairs of Sportello and the baseline; the first requests warm up, and show how long a reply is."""
    answered = Counter()

    def measure(server, *requests):
        figures = measure_one(server, *requests)
        answered[server] += figures["count"]
        return figures

    with Sportello(place / "data") as sportello:
        people = People(place, sportello, asked.pairs * asked.requests)
        template = sportello.template(place)
        sessions = people.open_sessions(asked.requests)
        reply_bytes = measure(sportello, sessions, template)["reply_bytes"]
        with Measure(asked.beside, place, sportello.data, reply_bytes) as other:
            measure(other, sessions, template)
            servers = {"sportello": sportello, asked.beside: other}
            table = table_of(asked.beside, *kinds)
            for number in range(1, asked.pairs):
                sessions = people.open_sessions(asked.requests)
                table.add(run_pair(number, list(servers), lambda name: measure(servers[name], sessions, template),
                                   servers.values()))
        medians = table.medians()
        # wrk ends after sending the last request, so it does not count the last replies.
        sportello.verified(answered[sportello])
    return medians


def table_of(other, *kinds):
    return Table([column for kind in kinds for column in kind(other)])


def costs(other):
    ours, theirs = (of(name, "cpu", MICRO) for name in ("sportello", other))
    return [("us ours", 1, ours), (f"us {other}", 1, theirs), ("ratio", 2, ratio(ours, theirs))]


def times(other):
    return [("times", 2, ratio(of(other, "cpu"), of("sportello", "cpu")))]


def rates(other):
    return [("a second", 0, of("sportello", "per_second")), (other, 0, of(other, "per_second"))]


def latencies(other):
    ours, theirs = (of(name, "p99_ms") for name in ("sportello", other))
    return [
        ("p50 ms", 2, of("sportello", "p50_ms")),
        (f"{other} p50", 2, of(other, "p50_ms")),
        ("p99 ms", 2, ours),
        (f"{other} p99", 2, theirs),
        ("p99 ratio", 2, ratio(ours, theirs)),
        ("lag ms", 2, of("sportello", "lag_p99_ms")),
        (f"{other} lag", 2, of(other, "lag_p99_ms")),
        ("waited", 0, of("sportello", "waited")),
        (f"{other} waited", 0, of(other, "waited")),
    ]
