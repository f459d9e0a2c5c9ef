"""The parts of deploy/check that need a parser: check_parts.py dashboard|names|settings PROGRAM|rules.

dashboard: titles, descriptions, units and variables are there, and no panel covers another.
names:     alerts, rules and dashboard use only metrics and labels of src/metrics.rs and recorded ones, and the dashboard
           shows every metric.
settings:  variables and bounds in unit, Containerfile, compose.yaml and restore-drill agree with the settings of the program.
rules:     prints the dashboard's queries as recording rules, for promtool to parse.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
# Labels that Prometheus adds by itself.
GIVEN_LABELS = {"job", "instance", "le", "alertname", "alertstate"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def metrics():
    """Every metric by its name on the metrics page, with its labels."""
    known = {}
    declared = r'Kind::(Counter|Gauge|Histogram)[^,]*, \w+, "(\w+)" \[([^\]]*)\]'
    for kind, name, labels in re.findall(declared, read("src/metrics.rs")):
        labels = set(re.findall(r'"(\w+)"', labels))
        suffixes = ("_bucket", "_sum", "_count") if kind == "Histogram" else ("",)
        known.update({name + suffix: labels for suffix in suffixes})
    return known


def dashboard():
    return json.loads(read("deploy/grafana/sportello.json"))


def queries():
    """Every query of the dashboard, with its place."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard, {panel['title']}", target["expr"]


def plain(query):
    """A query with the dashboard's variables filled in."""
    return query.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$instance", ".*")


def alert_queries():
    """The alerts without their annotations, which name settings and commands, not metrics."""
    text = re.sub(r"(?m)^\s*#.*$", "", read("deploy/prometheus/alerts.yml"))
    for name, body in re.findall(r"- alert: (\w+)\n(.*?)(?=\n\s+labels:)", text, re.S):
        yield f"alert {name}", body


def recording_rules():
    """The recorded names, each with its query."""
    return re.findall(r"- record: (\S+)\n(.*?)(?=\n +- record:|\Z)", read("deploy/prometheus/rules.yml"), re.S)


def check_names():
    known, used = metrics(), set()
    if len(known) < 10:
        yield "src/metrics.rs: fewer than 10 metrics were found, so the pattern in deploy/check_parts.py is out of date"
    variables = [v["query"]["query"] for v in dashboard()["templating"]["list"] if v["type"] == "query"]
    places = [*queries(), *alert_queries(), *(("dashboard variable", query) for query in variables)]
    recorded = {name for name, _ in recording_rules()}
    places += [(f"rule {name}", query) for name, query in recording_rules()]
    for tests in ("alerts_test.yml", "objectives_test.yml"):
        series = re.findall(r"series: (.*)", read(f"deploy/prometheus/{tests}").replace('\\"', '"'))
        places += [(tests, one) for one in series]
    if len(recorded) < 10:
        yield "deploy/prometheus/rules.yml: fewer than 10 rules were found, so the pattern is out of date"
    for where, query in places:
        yield from (f"{where}: {name} is not recorded" for name in set(re.findall(r"\bsportello:[\w:]+", query)) - recorded)
        names = set(re.findall(r"\bsportello_\w+", query))
        used |= names
        yield from (f"{where}: no metric {name}" for name in sorted(names - known.keys()))
        allowed = GIVEN_LABELS.union(*(known.get(name, set()) for name in names))
        labels = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', query))
        for group in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", query):
            labels |= set(re.findall(r"\w+", group))
        yield from (f"{where}: no label {label}" for label in sorted(labels - allowed))
    stem = lambda name: re.sub(r"_(bucket|sum|count)$", "", name)
    shown = {stem(name) for _, query in queries() for name in re.findall(r"\bsportello_\w+", query)}
    yield from (f"dashboard: {name} is shown nowhere" for name in sorted({stem(n) for n in known} - shown))


def check_dashboard():
    board, taken, ids = dashboard(), {}, set()
    for member in ("title", "uid", "description", "schemaVersion", "panels", "templating"):
        if not board.get(member):
            yield f"no {member}"
    if {v["name"] for v in board["templating"]["list"]} != {"datasource", "instance"}:
        yield "the variables are not datasource and instance"
    for panel in board["panels"]:
        title = panel.get("title") or f"panel {panel.get('id')}"
        if panel["id"] in ids:
            yield f"{title}: another panel has the same id"
        ids.add(panel["id"])
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if x > 23 or taken.setdefault((x, y), title) != title:
                    yield f"{title}: overlaps {taken.get((x, y), 'the edge')}"
                    break
            else:
                continue
            break
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{title}: no description or no unit"
        if panel["datasource"]["uid"] != "${datasource}":
            yield f"{title}: does not use the variable datasource"
        for target in panel["targets"]:
            if 'instance=~"$instance"' not in target["expr"] or not target["legendFormat"]:
                yield f"{title}: a query has no variable instance or no legend"


def settings(program):
    """Every setting by its key, with its default, as the program prints them."""
    default = subprocess.run([program, "config", "default"], check=True, capture_output=True, text=True).stdout
    return {
        f"{section}.{name}": value
        for section, table in tomllib.loads(default).items()
        for name, value in table.items()
    }


def check_settings(program):
    unit = read("deploy/systemd/sportello.service")
    defaults = settings(program)
    variables = {"SPORTELLO_" + key.replace(".", "_").upper() for key in defaults}
    others = ("container/Containerfile", "compose/compose.yaml", "backup/restore-drill")
    for place, text in (("unit", unit), *((other, read(f"deploy/{other}")) for other in others)):
        for name in re.findall(r"\bSPORTELLO_[A-Z_]+", text):
            if name not in variables:
                yield f"{place}: no setting {name}"
    drain_seconds = defaults["server.drain_ms_max"] / 1000
    stop_seconds = int(re.search(r"TimeoutStopSec=(\d+)", unit)[1])
    if stop_seconds < 2 * drain_seconds:
        yield f"unit: TimeoutStopSec={stop_seconds} is not well above server.drain_ms_max, {drain_seconds} s"
    connections = defaults["http.connections_max"]
    files = int(re.search(r"LimitNOFILE=(\d+)", unit)[1])
    if files < connections + 1000:
        yield f"unit: LimitNOFILE={files} is not well above http.connections_max, {connections}"


def print_rules():
    rules = [{"record": f"query:{n}", "expr": plain(query)} for n, (_, query) in enumerate(queries())]
    # JSON is YAML.
    print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))


def main():
    what, *arguments = sys.argv[1:] or [""]
    if what == "rules":
        return print_rules()
    checks = {"dashboard": check_dashboard, "names": check_names, "settings": check_settings}
    if what not in checks:
        sys.exit(__doc__)
    faults = list(checks[what](*arguments))
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
