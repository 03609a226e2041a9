#!/usr/bin/env python3
"""Has a Prometheus of its own scrape a running pair, and runs each rule and each query there.

    queries.py [--gateway 127.0.0.1:9101] [--engine 127.0.0.1:9102] [--prometheus prometheus]

The queries are those of ../grafana/dashboards. Each must give something within a minute, unless it is
one that shows only what is above 0. Exits 1 and names each that does not. Needs Python 3.8 or newer.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
DASHBOARDS = HERE.parent / "grafana" / "dashboards"
BOUND = 60  # seconds
VARIABLES = {"$__rate_interval": "10s", "$gateway": ".*", "$engine": ".*"}
LABEL_VALUES = re.compile(r"label_values\((\w+), (\w+)\)")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def queries():
    """Each query of the dashboards, with where it stands."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield f"{file.name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            values = LABEL_VALUES.fullmatch(variable["definition"])
            name, label = values.groups()
            yield f"{file.name}: ${variable['name']}", f"count by ({label}) ({name})"
        for annotation in board["annotations"]["list"]:
            yield f"{file.name}: {annotation['name']}", f"{annotation['expr']} > 0"


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return json.load(error)
        except ValueError:  # it begins: what it says then is plain text
            return {"status": f"HTTP {error.code}"}
    except OSError:
        return {"status": "unreachable"}


def run(base, query):
    """What keeps a query from being good; None: nothing."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    answer = ask(base, "query", query=query)
    if answer["status"] != "success":
        return answer.get("error", answer["status"])
    if not answer["data"]["result"] and not query.endswith("> 0"):
        return "it gives nothing"
    return None


def rules(base):
    """The faults of the rules: each must have been evaluated."""
    groups = ask(base, "rules").get("data", {}).get("groups", [])
    all_rules = [rule for group in groups for rule in group["rules"]]
    if not all_rules:
        return {"rules": "there are none"}
    return {
        rule["name"]: rule.get("lastError") or rule["health"]
        for rule in all_rules
        if rule["health"] != "ok"
    }


def faults(base):
    found = rules(base)
    for place, query in queries():
        fault = run(base, query)
        if fault:
            found[f"{place}: {query}"] = fault
    return found


def configuration(gateway, engine):
    jobs = [("mymt5-gateway", gateway), ("mymt5-engine", engine)]
    scrapes = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(HERE / "rules.yaml")],
        "scrape_configs": scrapes,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateway", default="127.0.0.1:9101")
    parser.add_argument("--engine", default="127.0.0.1:9102")
    parser.add_argument("--prometheus", default="prometheus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # JSON is YAML, too.
        file = Path(folder) / "prometheus.yaml"
        file.write_text(json.dumps(configuration(options.gateway, options.engine)))
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        command = [options.prometheus, f"--config.file={file}", "--log.level=error"]
        command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with subprocess.Popen(command) as prometheus:
            try:
                found = wait(base, prometheus)
            finally:
                prometheus.terminate()
    for place, fault in found.items():
        print(f"{place}: {fault}")
    print(f"{len(list(queries()))} queries, {len(found)} faults")
    return 1 if found else 0


def wait(base, prometheus):
    end = time.monotonic() + BOUND
    while True:
        found = faults(base)
        if not found or time.monotonic() > end or prometheus.poll() is not None:
            return found
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
