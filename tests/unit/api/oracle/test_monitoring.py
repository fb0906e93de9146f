"""Dashboard and alerts against what the process exports, and the runbook against the alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.metrics import MetricWrapperBase

from api.oracle.metrics import Metrics

ORACLE: Final = Path(__file__).resolve().parents[4] / "api" / "oracle"
ALERTS: Final = yaml.safe_load((ORACLE / "monitoring" / "alerts.yaml").read_text())
DASHBOARD: Final = json.loads((ORACLE / "monitoring" / "dashboard.json").read_text())

# A dashboard's variable is no PromQL: it asks for the values of one label.
_VARIABLE = re.compile(r"label_values\((\w+), (\w+)\)")

# Of what has no reset these make no sense.
_OF_COUNTERS: Final = frozenset({"rate", "increase", "irate"})

# What Prometheus itself adds.
_ADDED: Final = frozenset({"job", "instance", "le"})
_SUFFIXES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}


@cache
def exported() -> dict[str, frozenset[str]]:
    """Every series that the process exports, with its labels."""
    known: dict[str, frozenset[str]] = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            for suffix in _SUFFIXES[family.type]:
                known[family.name + suffix] = frozenset(metric._labelnames) | _ADDED
    return known


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel and rule."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def parts(expression: str) -> list[Any]:
    """Every node of a query by Prometheus' grammar. Raises ValueError where it is none."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        found.append(node)
        return True

    promql.walk(promql.parse(expression), visit)
    return found


def series(expression: str) -> dict[str, set[str]]:
    """The names in a query, with the labels that they are matched by."""
    asked: dict[str, set[str]] = {}
    for node in parts(expression):
        if isinstance(node, promql.VectorSelector):
            assert node.name is not None
            asked.setdefault(node.name, set()).update(one.name for one in node.matchers.matchers)
    return asked


def test_exported__the_process__tells_what_it_is_asked_for() -> None:
    told = set(re.findall(r"\brackstream_\w+", Metrics().render().decode()))
    assert "rackstream_transactions_total" in told
    # Beside its series, the text has the name of each family and when a counter was made.
    assert {name for name in told if not name.endswith(("_created", "_seconds", "_gas_used"))} <= {
        *exported(),
        *(name.removesuffix("_count") for name in exported()),
    }


@pytest.mark.parametrize(("where", "expression"), queries(), ids=lambda value: value[:40])
def test_query__series_and_labels_that_it_names__exist(where: str, expression: str) -> None:
    asked = series(expression)
    unknown = asked.keys() - exported().keys() - {"up"}
    assert not unknown, f"{where} names {unknown}"
    known = {name: exported().get(name, _ADDED) for name in asked}
    labels = {label for name, ones in asked.items() for label in ones - known[name]}
    assert not labels, f"{where} asks for {labels}"
    grouped = {
        label
        for node in parts(expression)
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None
        for label in node.modifier.labels
    }
    unknown = grouped - frozenset().union(*known.values())
    assert not unknown, f"{where} groups by {unknown}"


@pytest.mark.parametrize(("where", "expression"), queries(), ids=lambda value: value[:40])
def test_query__its_functions__are_of_what_they_are_asked_of(where: str, expression: str) -> None:
    for node in parts(expression):
        if not isinstance(node, promql.Call):
            continue
        inner = [
            name
            for argument in node.args
            for name in series(argument.prettify())
            if name.startswith("rackstream_")
        ]
        if node.func.name in _OF_COUNTERS:
            counters = ("_total", "_bucket", "_sum", "_count")
            assert all(name.endswith(counters) for name in inner), f"{where} asks a gauge's rate"
        if node.func.name == "histogram_quantile":
            assert all(name.endswith("_bucket") for name in inner), f"{where} has no buckets"


def test_variable__series_and_label_that_it_names__exist() -> None:
    asked = [one["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert asked
    for query in asked:
        variable = _VARIABLE.fullmatch(query)
        assert variable is not None, f"{query} is not understood"
        name, label = variable.groups()
        assert label in exported()[name]


def test_series__exported__are_all_on_the_dashboard_or_watched() -> None:
    asked = {name for _, expression in queries() for name in series(expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    missing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported()} - families
    assert not missing


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert__as_it_stands__is_complete_and_in_the_runbook(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert promql.parse_duration(rule.get("for", "1m"))
    name = rule["alert"]
    assert rule["annotations"]["runbook"] == f"api/oracle/README.md#{name.lower()}"
    entry = (ORACLE / "README.md").read_text().split(f"\n### {name}\n\n")
    assert len(entry) == 2, f"no runbook entry for {name}"
    assert len(entry[1].partition("\n\n")[0]) > 80


def test_runbook__its_entries__are_of_the_alerts_and_no_others() -> None:
    entries = re.findall(r"^### (Rackstream\w+)$", (ORACLE / "README.md").read_text(), re.MULTILINE)
    assert entries == [rule["alert"] for rule in rules()]


def test_dashboard__its_panels__have_places_and_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["description"] for panel in panels)
