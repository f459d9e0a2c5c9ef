"""Rows beside nginx, a function each: prints the pairs and their medians, and sees Sportello's ledger verified."""

from collections import Counter

from clients import People, volley, wrk
from pairs import MICRO, Table, of, ratio, run_pair
from servers import Nginx, Sportello

# Of a 99th percentile: when the generator's own lag is more, the percentile is not the server's.
LAG_SHARE_MAX = 0.25

OURS, NGINX = of("sportello", "cpu", MICRO), of("nginx", "cpu", MICRO)
COSTS = [("us ours", 1, OURS), ("us nginx", 1, NGINX), ("ratio", 2, ratio(OURS, NGINX))]
TIMES = [("times", 2, ratio(NGINX, OURS))]
RATES = [("a second", 0, of("sportello", "per_second")), ("nginx", 0, of("nginx", "per_second"))]
P99 = of("sportello", "p99_ms"), of("nginx", "p99_ms")
LATENCIES = [
    ("p50 ms", 2, of("sportello", "p50_ms")),
    ("nginx p50", 2, of("nginx", "p50_ms")),
    ("p99 ms", 2, P99[0]),
    ("nginx p99", 2, P99[1]),
    ("p99 ratio", 2, ratio(*P99)),
    ("lag ms", 2, of("sportello", "lag_p99_ms")),
    ("nginx lag", 2, of("nginx", "lag_p99_ms")),
    ("waited", 0, of("sportello", "waited")),
    ("nginx waited", 0, of("nginx", "waited")),
]


def submissions(place, asked):
    """CPU of a submission at saturation, HTTP/1.1, by wrk; opening the connections is in it."""

    def measure(server, sessions, template):
        before = server.cpu_seconds()
        count, size, seconds = wrk(server, asked.connections, ["/v1/applications", sessions, template])
        used = server.settled_cpu_seconds() - before
        return {"count": count, "cpu": used / count, "reply_bytes": size, "per_second": count / seconds}

    medians = beside_nginx(place, asked, measure, COSTS + RATES)
    print(f"median ratio {medians['ratio']:.2f} at {asked.connections} connections, {asked.pairs - 1} pairs")


def kept(place, asked):
    """CPU of a submission at saturation, HTTP/1.1, over connections opened before."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template, "--connections", asked.connections)

    medians = beside_nginx(place, asked, measure, COSTS + RATES)
    print(f"median ratio {medians['ratio']:.2f} at {asked.connections} kept connections, {asked.pairs - 1} pairs")


def steady(place, asked):
    """CPU of a submission and its 99th percentile at a steady rate, open loop, HTTP/1.1."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template,
                      "--connections", asked.connections, "--rate", asked.rate)

    medians = beside_nginx(place, asked, measure, COSTS + LATENCIES)
    print(f"median ratios at a steady {asked.rate:g} a second over {asked.connections} connections, {asked.pairs - 1} pairs: "
          f"{medians['ratio']:.2f} of CPU, {medians['p99 ratio']:.2f} of the 99th percentile")
    for lag, p99 in (("lag ms", "p99 ms"), ("nginx lag", "nginx p99")):
        if medians[lag] > LAG_SHARE_MAX * medians[p99]:
            print(f"not to be believed: of a 99th percentile of {medians[p99]:.2f} ms the generator itself was late "
                  f"{medians[lag]:.2f} ms")


def http2(place, asked):
    """CPU of a submission at saturation over HTTP/2."""

    def measure(server, sessions, template):
        return volley(server, "--sessions", sessions, "--template", template,
                      "--http2", "--connections", asked.connections, "--streams", asked.streams)

    medians = beside_nginx(place, asked, measure, COSTS + RATES)
    print(f"median ratio {medians['ratio']:.2f} over HTTP/2 at {asked.connections} connections with {asked.streams} streams "
          f"each, {asked.pairs - 1} pairs")


def handshakes(place, asked):
    """CPU of a full handshake: ECDSA P-256, TLS 1.3, nothing resumed, the connection closed at once."""
    with Sportello(place / "data") as sportello, Nginx(place, sportello.data, 1) as nginx:
        servers = {"sportello": sportello, "nginx": nginx}
        for manner, flags in {"X25519 alone": ["--classical"], "by each one's own choice": []}.items():

            def measure(name):
                return volley(servers[name], "--handshakes", "--count", asked.requests,
                              "--connections", asked.connections, *flags)

            agreed = " and ".join(f"{measure(name)['key_exchange']} at {name}" for name in servers)
            print(f"keys {manner}: {agreed}")
            table = Table(COSTS + TIMES + RATES)
            for number in range(1, asked.pairs):
                table.add(run_pair(number, list(servers), measure, servers.values()))
            medians = table.medians()
            print(f"{medians['times']:.2f} times as many handshakes for the same CPU, keys {manner}, {asked.pairs - 1} pairs")
        sportello.verified(0)


def beside_nginx(place, asked, measure_one, columns):
    """Pairs of Sportello and nginx; the first part warms up, and tells how long a reply is."""
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
        with Nginx(place, sportello.data, reply_bytes) as nginx:
            measure(nginx, sessions, template)
            servers = {"sportello": sportello, "nginx": nginx}
            table = Table(columns)
            for number in range(1, asked.pairs):
                sessions = people.open_sessions(asked.requests)
                table.add(run_pair(number, list(servers), lambda name: measure(servers[name], sessions, template),
                                   servers.values()))
        medians = table.medians()
        # wrk ends when it has sent the last request: some are not answered then, nor counted.
        sportello.verified(answered[sportello])
    return medians
