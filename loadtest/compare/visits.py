"""CPU of a whole visit, compared with a baseline that does a handshake and as many requests from memory."""

from clients import People, volley
from measures import Measure
from pairs import MICRO, Table, of, ratio, run_pair
from servers import Sportello

# Method and content type of the requests of a visit, by the names of `surge volley`.
STEPS = {"enter": "PUT", "draft": "PUTapplication/json", "submit": "POSTapplication/json", "read": "GET",
         "leave": "DELETE"}


def visit(place, asked):
    """CPU of a visit on its own connection (handshake, enter, submit, four reads, leave), with and without a draft."""
    with Sportello(place / "data") as sportello:
        people = People(place, sportello, 2 * asked.pairs * asked.requests)
        template = sportello.template(place)
        decided = 0

        def measure(server, visitors, *drafts):
            return volley(server, "--visits", visitors, "--template", template, "--rate", asked.rate,
                          "--connections", asked.connections, *drafts)

        def ours(*drafts):
            nonlocal decided
            figures = measure(sportello, people.next_visits(asked.requests), *drafts)
            decided += figures["decided"]
            return figures

        ours()
        warm = ours("--drafts")
        steps = {STEPS[kind]: size for kind, size in warm["replies"].items()}
        with Measure(asked.beside, place, sportello.data, warm["reply_bytes"] / sum(COUNTS.values()), steps=steps) as other:

            def theirs(*drafts):
                return measure(other, place / "people", *drafts)

            started = theirs("--drafts")
            print(f"key exchange: {warm['key_exchange']} at sportello, {started['key_exchange']} at {asked.beside}")
            measures = {
                "sportello": ours,
                asked.beside: theirs,
                "sportello, drafts": lambda: ours("--drafts"),
                f"{asked.beside}, drafts": lambda: theirs("--drafts"),
            }
            table = Table(columns(asked.beside))
            for number in range(1, asked.pairs):
                table.add(run_pair(number, list(measures), lambda name: measures[name](), (sportello, other)))
        medians = table.medians()
        wanted = 2 * asked.pairs * asked.requests
        print(f"{100 * decided / wanted:.1f} % of the visits saw the decision with their last read")
        sportello.verified(wanted)
    print(f"median ratios to {asked.beside} at {asked.rate:g} visits a second, {asked.pairs - 1} pairs: "
          f"{medians['ratio']:.2f} of CPU, {medians['ratio, drafts']:.2f} with a draft; median submission with drafts "
          f"by without {medians['p50 ratio']:.2f}")


# Requests of a visit with a draft.
COUNTS = {"enter": 1, "draft": 1, "submit": 1, "read": 4, "leave": 1}


def columns(other):
    cpu = {name: of(name, "cpu", MICRO) for name in ("sportello", "sportello, drafts", other, f"{other}, drafts")}
    p50, p50_drafts = of("sportello", "p50_ms"), of("sportello, drafts", "p50_ms")
    return [
        ("us ours", 0, cpu["sportello"]), (f"us {other}", 0, cpu[other]),
        ("ratio", 2, ratio(cpu["sportello"], cpu[other])),
        ("us ours, drafts", 0, cpu["sportello, drafts"]), (f"us {other}, drafts", 0, cpu[f"{other}, drafts"]),
        ("ratio, drafts", 2, ratio(cpu["sportello, drafts"], cpu[f"{other}, drafts"])),
        ("p50 ms", 2, p50), ("p50 ms, drafts", 2, p50_drafts), ("p50 ratio", 2, ratio(p50_drafts, p50)),
        ("lag ms", 2, of("sportello", "lag_p99_ms")),
    ]
