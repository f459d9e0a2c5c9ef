"""The parts of deploy/check about compose/ and kubernetes*/:
check_manifests.py fields FILE|compose|kubernetes FILE PROGRAM|replicated FILE PROGRAM|core FILE|prometheus|scrape.

fields:     FILE is a document of the Compose specification, without unknown fields.
compose:    every service is confined, every mounted file exists, and Grafana's provisioning fits what is mounted.
kubernetes: the objects of FILE (what kustomize built) fit together, and with the settings of PROGRAM.
replicated: the same for several servers, and the database makes a commit durable before it counts.
core:       prints the objects of FILE whose kinds every Kubernetes has.
scrape:     prints kubernetes/prometheus-scrape.yml without the discovery, which not every promtool knows.
prometheus: prints as JSON how compose.yaml starts Prometheus and where Grafana looks for it.

Whether the fields of kubernetes*/ exist, kubernetes-validate checks. Needs PyYAML and, for `fields`, compose-spec.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent
COMPOSE = DEPLOY / "compose"
# Privileges that no container here needs.
FORBIDDEN = ("privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "extra_hosts")


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def volumes(service):
    """The mounts of a service: source, target, whether it may write."""
    for mount in service.get("volumes", []):
        source, target, *mode = mount.split(":")
        yield source, target, mode != ["ro"]


def networks_of(services, name):
    """The networks on which a service is reached, also if it shares those of another."""
    shared = re.fullmatch(r"service:(\w+)", services[name].get("network_mode", ""))
    return networks_of(services, shared[1]) if shared else set(services[name].get("networks", []))


def check_fields(path):
    from compose_spec import PyCompose

    try:
        PyCompose.from_yaml(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError as fault:
        yield f"{path}: {fault}"


def check_compose():
    document = load(COMPOSE / "compose.yaml")
    services = document["services"]
    for name, service in services.items():
        yield from (f"{name}: {key} is a privilege" for key in FORBIDDEN if key in service)
        if service.get("read_only") is not True:
            yield f"{name}: its file system is writable"
        if service.get("cap_drop") != ["ALL"] or service.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name}: keeps capabilities or may get privileges"
        if not service.get("pids_limit") or service.get("restart") != "unless-stopped":
            yield f"{name}: no bound on processes, or no restart"
        if "healthcheck" not in service and name != "network":
            yield f"{name}: no health check"
        if "build" not in service and not re.search(r":v?[0-9]", service["image"]):
            yield f"{name}: an image without a version"
        for source, target, writes in volumes(service):
            if source.startswith("."):
                if not (COMPOSE / source).exists():
                    yield f"{name}: {source} does not exist"
                if writes:
                    yield f"{name}: {source} is writable"
            elif source not in document["volumes"]:
                yield f"{name}: no volume {source}"
        for kind in ("configs", "secrets"):
            for used in service.get(kind, []):
                source = used if isinstance(used, str) else used["source"]
                if source not in document[kind]:
                    yield f"{name}: no {source} in {kind}"
    build = services["sportello"]["build"]
    if not (COMPOSE / build["context"] / build["dockerfile"]).exists():
        yield "sportello: no Containerfile"
    yield from check_watching(services)


def check_watching(services):
    """Prometheus scrapes the operator listener over loopback, and Grafana finds Prometheus and the dashboard."""
    if services["prometheus"].get("network_mode") != services["sportello"].get("network_mode"):
        yield "prometheus: does not share the server's network, whose operator listener accepts loopback connections only"
    source = load(COMPOSE / "datasources.yaml")["datasources"][0]
    host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
    if host not in services or not networks_of(services, host) & networks_of(services, "grafana"):
        yield f"grafana: cannot reach {host}"
    if host not in ("prometheus", services["prometheus"].get("network_mode", "").removeprefix("service:")):
        yield f"grafana: {host} is not where Prometheus listens"
    if f"--web.listen-address=0.0.0.0:{port}" not in services["prometheus"]["command"]:
        yield f"prometheus: does not listen on port {port}"
    scraping = load(DEPLOY / "prometheus/prometheus.yml")
    given = [target for _, target, _ in volumes(services["prometheus"])]
    # Prometheus starts without rules that are not there, and says nothing.
    yield from (f"prometheus: {name} is not mounted" for name in scraping["rule_files"] if f"/etc/prometheus/{name}" not in given)
    interval = scraping["global"]["scrape_interval"]
    if source["jsonData"]["timeInterval"] != interval:
        yield f"grafana: timeInterval is not {interval}"
    mounted = [target for _, target, _ in volumes(services["grafana"])]
    for provider in load(COMPOSE / "dashboards.yaml")["providers"]:
        if not any(target.startswith(provider["options"]["path"] + "/") for target in mounted):
            yield f"grafana: no dashboard in {provider['options']['path']}"
    for kind in ("datasources", "dashboards"):
        if not any(target.startswith(f"/etc/grafana/provisioning/{kind}/") for target in mounted):
            yield f"grafana: {kind} are not provisioned"


def print_prometheus():
    prometheus = load(COMPOSE / "compose.yaml")["services"]["prometheus"]
    mounts = [[str(pathlib.Path("compose") / source), target] for source, target, _ in volumes(prometheus)]
    files = [mount for mount in mounts if mount[0].startswith("compose/..")]
    url = load(COMPOSE / "datasources.yaml")["datasources"][0]["url"]
    print(json.dumps({"files": files, "command": prometheus["command"], "port": url.rsplit(":", 1)[1]}))


def print_scrape():
    document = load(DEPLOY / "kubernetes/prometheus-scrape.yml")
    for job in document["scrape_configs"]:
        del job["kubernetes_sd_configs"]
    # JSON is YAML.
    print(json.dumps(document))


def built_objects(built):
    objects = {}
    for item in yaml.safe_load_all(pathlib.Path(built).read_text(encoding="utf-8")):
        objects.setdefault(item["kind"], []).append(item)
    return objects


def print_core(built):
    items = yaml.safe_load_all(pathlib.Path(built).read_text(encoding="utf-8"))
    print(yaml.safe_dump_all(item for item in items if "cnpg.io" not in item["apiVersion"]))


def check_kubernetes(built, program):
    objects = built_objects(built)
    if objects["StatefulSet"][0]["spec"]["replicas"] != 1:
        yield "StatefulSet: a data directory has one process"
    yield from check_objects(objects, program)


def check_replicated(built, program):
    objects = built_objects(built)
    yield from check_objects(objects, program)
    [database], [pods], [policy] = objects["Cluster"], objects["StatefulSet"], objects["NetworkPolicy"]
    name, spec = database["metadata"]["name"], database["spec"]
    synchronous = spec["postgresql"]["synchronous"]
    standbys = spec["instances"] - 1
    # What the servers ask of the list of standbys: a majority with the primary, and no other names.
    if synchronous["maxStandbyNamesFromCluster"] != standbys or 2 * synchronous["number"] < standbys or standbys < 2:
        yield "Cluster: a commit does not wait for a majority of its instances"
    if synchronous["dataDurability"] != "required" or not synchronous["failoverQuorum"]:
        yield "Cluster: goes on without standbys, or promotes one that may lack what was acknowledged"
    if not spec["bootstrap"]["initdb"]["dataChecksums"] or spec["affinity"]["podAntiAffinityType"] != "required":
        yield "Cluster: no checksums, or two instances in one place"
    template = pods["spec"]["template"]["spec"]
    [server] = [one for one in template["containers"] if one["name"] == "sportello"]
    settings = tomllib.loads([one["data"] for one in objects["ConfigMap"]][0]["sportello.toml"])
    role, host = re.fullmatch(r"postgres://(\w+)@([\w-]+)/\w+", settings["postgres"]["url"]).groups()
    if host != f"{name}-rw" or role != spec["bootstrap"]["initdb"]["owner"] or settings["ledger"]["engine"] != "postgres":
        yield "settings: not the role at the primary of the cluster"
    secrets = {volume["secret"]["secretName"]: volume for volume in template["volumes"] if "secret" in volume}
    if {f"{name}-ca", spec["bootstrap"]["initdb"]["secret"]["name"]} - secrets.keys():
        yield "StatefulSet: no password, or no authority of the database"
    elif "items" not in secrets[f"{name}-ca"]["secret"]:
        yield "StatefulSet: the pods get the key of the database's authority"
    variables = {value["name"] for value in server["env"]}
    if not {"SPORTELLO_POSTGRES_CA", "SPORTELLO_POSTGRES_PASSWORD_FILE"} <= variables:
        yield "sportello: no password, or no authority of the database"
    allowed = [rule for rule in policy["spec"]["egress"] if {"port": 5432} in rule["ports"]]
    if [rule["to"][0]["podSelector"]["matchLabels"] for rule in allowed] != [{"cnpg.io/cluster": name}]:
        yield "NetworkPolicy: the servers do not reach the database, or more than it"
    if pods["spec"]["replicas"] < 2 or "podAntiAffinity" not in template.get("affinity", {}):
        yield "StatefulSet: one server, or all on one node"
    if objects["PodDisruptionBudget"][0]["spec"].get("maxUnavailable") != 1:
        yield "PodDisruptionBudget: not one server at a time"


def check_objects(objects, program):
    [pods] = objects["StatefulSet"]
    spec = pods["spec"]["template"]["spec"]
    labels = pods["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for one in spec["containers"] for port in one.get("ports", [])}
    selectors = [("StatefulSet", pods["spec"]["selector"]["matchLabels"])]
    selectors += [("Service", one["spec"]["selector"]) for one in objects["Service"]]
    selectors += [("PodDisruptionBudget", one["spec"]["selector"]["matchLabels"]) for one in objects["PodDisruptionBudget"]]
    selectors += [("NetworkPolicy", one["spec"]["podSelector"]["matchLabels"]) for one in objects["NetworkPolicy"]]
    yield from (f"{what}: does not select the pod" for what, selector in selectors if not selector.items() <= labels.items())
    named = [port["targetPort"] for one in objects["Service"] for port in one["spec"]["ports"]]
    [policy] = objects["NetworkPolicy"]
    named += [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
    yield from (f"no port {name}" for name in named if name not in ports)
    yield from check_admitted(policy, labels, ports)
    yield from check_containers(pods, objects, program)


def check_admitted(policy, labels, ports):
    """The public reaches https alone, and metrics are for one namespace and some of its pods."""
    for rule in policy["spec"]["ingress"]:
        names = {port["port"] for port in rule["ports"]}
        if "from" not in rule:
            if names != {"https"}:
                yield f"NetworkPolicy: {names} are open to everybody"
            continue
        for peer in rule["from"]:
            if not peer.get("namespaceSelector") or not peer.get("podSelector"):
                yield f"NetworkPolicy: {names} are open to whole namespaces"
            elif peer["podSelector"]["matchLabels"].items() <= labels.items():
                yield "NetworkPolicy: metrics are for the server itself: kustomize has rewritten the selector"
    if 9464 in ports.values():
        yield "StatefulSet: the operator listener is a port"


def check_containers(pods, objects, program):
    spec = pods["spec"]["template"]["spec"]
    known = {volume["name"] for volume in spec["volumes"]}
    known |= {claim["metadata"]["name"] for claim in pods["spec"]["volumeClaimTemplates"]}
    maps = {one["metadata"]["name"]: one["data"] for one in objects["ConfigMap"]}
    secure = spec["securityContext"]
    if not secure.get("runAsNonRoot") or secure.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "StatefulSet: may run as root, or without seccomp"
    if spec.get("automountServiceAccountToken") is not False or spec.get("enableServiceLinks") is not False:
        yield "StatefulSet: gets a token of the cluster, or variables of services"
    for one in spec["containers"]:
        name, own = one["name"], one["securityContext"]
        if own != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}:
            yield f"{name}: is not confined"
        mounts = {mount["mountPath"]: mount for mount in one["volumeMounts"]}
        yield from (f"{name}: no volume {m['name']}" for m in mounts.values() if m["name"] not in known)
        for path in mounts:
            if any(other != path and path.startswith(other + "/") for other in mounts):
                yield f"{name}: {path} is below another mount, which is read-only"
        files = [value["value"] for value in one.get("env", []) if value["name"] != "SPORTELLO_SERVER_DATA"]
        for path in files + [argument for argument in one.get("args", []) if argument.startswith("/")]:
            if str(pathlib.PurePosixPath(path).parent) not in mounts:
                yield f"{name}: nothing is mounted for {path}"
    [server] = [one for one in spec["containers"] if one["name"] == "sportello"]
    for probe, path in (("startupProbe", "healthz"), ("livenessProbe", "healthz"), ("readinessProbe", "readyz")):
        if f"http://127.0.0.1:9464/{path}" not in server.get(probe, {}).get("exec", {}).get("command", []):
            yield f"sportello: {probe} does not ask {path}"
    text = maps["sportello-settings"]["sportello.toml"]
    default = subprocess.run([program, "config", "default"], check=True, capture_output=True, text=True).stdout
    drain = tomllib.loads(text)["server"].get("drain_ms_max", tomllib.loads(default)["server"]["drain_ms_max"]) / 1000
    if spec["terminationGracePeriodSeconds"] < 2 * drain:
        yield f"StatefulSet: terminationGracePeriodSeconds is not well above server.drain_ms_max, {drain} s"
    variables = {f"SPORTELLO_{s}_{k}".upper() for s, table in tomllib.loads(default).items() for k in table}
    yield from (f"sportello: no setting {v['name']}" for v in server["env"] if v["name"] not in variables)


def main():
    what, *arguments = sys.argv[1:] or [""]
    prints = {"prometheus": print_prometheus, "scrape": print_scrape, "core": print_core}
    if what in prints:
        return prints[what](*arguments)
    checks = {"fields": check_fields, "compose": check_compose, "kubernetes": check_kubernetes}
    checks["replicated"] = check_replicated
    if what not in checks:
        sys.exit(__doc__)
    faults = list(checks[what](*arguments))
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
