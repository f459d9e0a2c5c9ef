"""Baselines: servers that answer the same requests from memory, without parsing or storing anything."""

import sys

from servers import HERE, HOUSE, Server, free_port

AXUM = HOUSE / "target" / "peers" / "axum" / "release" / "sportello-measure"


class Measure(Server):
    """nginx or axum; each reply has `reply_bytes` bytes, head and body. `steps` gives the bytes of some kinds of
    requests, of nginx only: its keys are method and content type of the request."""

    def __init__(self, name, place, data, reply_bytes, connections_max=8192, steps=None):
        command, head_bytes = MEASURES[name]
        port = free_port()
        body = lambda reply: "x" * max(int(reply) - head_bytes, 1)
        steps = {step: body(reply) for step, reply in (steps or {}).items()}
        super().__init__(name, data, command(place, data, port, body(reply_bytes), connections_max, steps))
        self.listens_at(port)


def nginx(place, data, port, answer, connections_max, steps):
    text = (HERE / "nginx.conf").read_text()
    answers = "".join(f" '{step}' '{body}';" for step, body in steps.items())
    for name, value in {
        "PLACE": place, "PORT": port, "CERTIFICATE": data / "demo-cert.pem", "KEY": data / "demo-key.pem",
        "CONNECTIONS_MAX": connections_max, "'ANSWER'": "$answer" if steps else f"'{answer}'",
        "STEPS": f"map $request_method$content_type $answer {{ default '{answer}';{answers} }}" if steps else "",
    }.items():
        text = text.replace(name, str(value))
    config = place / f"nginx-{port}.conf"
    config.write_text(text)
    return ["nginx", "-p", place, "-c", config]


def axum(_place, data, port, answer, _connections_max, _steps):
    return [AXUM, port, data / "demo-cert.pem", data / "demo-key.pem", len(answer)]


# How to start each, and the bytes of its reply head.
MEASURES = {"nginx": (nginx, 160), "axum": (axum, 114)}


def built(name):
    """Exits with the build command when the baseline is not built."""
    if name == "axum" and not AXUM.exists():
        manifest, target = HERE / "peers" / "axum" / "Cargo.toml", AXUM.parent.parent
        sys.exit("axum is not built:\n  cargo build --release --manifest-path "
                 f"{manifest.relative_to(HOUSE)} --target-dir {target.relative_to(HOUSE)}")
