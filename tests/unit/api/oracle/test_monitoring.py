"""Dashboard and alerts against what the process exports, and the runbook against the alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.metrics import MetricWrapperBase

from api.oracle.metrics import Metrics

ORACLE: Final = Path(__file__).resolve().parents[4] / "api" / "oracle"
ALERTS: Final = yaml.safe_load((ORACLE / "monitoring" / "alerts.yaml").read_text())
DASHBOARD: Final = json.loads((ORACLE / "monitoring" / "dashboard.json").read_text())

_SERIES = re.compile(r"\b(rackstream_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)")

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
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["name"], variable["query"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def test_exported__the_process__tells_what_it_is_asked_for() -> None:
    told = {name for name, _ in _SERIES.findall(Metrics().render().decode())}
    assert "rackstream_transactions_total" in told
    # Beside its series, the text has the name of each family and when a counter was made.
    assert {name for name in told if not name.endswith(("_created", "_seconds", "_gas_used"))} <= {
        *exported(),
        *(name.removesuffix("_count") for name in exported()),
    }


@pytest.mark.parametrize(("where", "expression"), queries(), ids=lambda value: value[:40])
def test_query__series_and_labels_that_it_names__exist(where: str, expression: str) -> None:
    series = _SERIES.findall(expression)
    unknown = [name for name, _ in series if name not in exported()]
    assert not unknown, f"{where} names {unknown}"
    labels = {
        label
        for name, matchers in series
        for label in _MATCHER.findall(matchers)
        if label not in exported()[name]
    }
    assert not labels, f"{where} asks for {labels}"
    grouped = {
        label.strip()
        for inner in _GROUPING.findall(expression)
        for label in inner.split(",")
        if label.strip()
    }
    known = frozenset().union(*(exported()[name] for name, _ in series)) | _ADDED
    assert grouped <= known, f"{where} groups by {grouped - known}"


def test_series__exported__are_all_on_the_dashboard_or_watched() -> None:
    asked = {name for _, expression in queries() for name, _ in _SERIES.findall(expression)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    missing = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported()} - families
    assert not missing


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert__as_it_stands__is_complete_and_in_the_runbook(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
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
