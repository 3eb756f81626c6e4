"""docs/monitoring.md says what the code does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mektup.server.metric_table import METRICS, Over
from mektup.server.visit import CONNECTING
from mektup.session.life import LOGIN_REASONS, OTHER_REASON, STAGES
from mektup.store.faults import Kind

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
RULES = PAGE.with_name("mektup.rules.yml")
REASONS = {*LOGIN_REASONS.values(), OTHER_REASON}
FAULTS = {kind.label for kind in Kind}
BEGIN = "<!-- metrics: tests/server/test_monitoring.py compares this table with the code -->\n"
END = "<!-- end of metrics -->"


def table() -> str:
    rows = []
    for name, metric in METRICS.items():
        labels = (*metric.labels, "worker") if metric.over is Over.EACH else metric.labels
        words = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {metric.kind.value} | {words} | {metric.text} |\n")
    return "".join(["| metric | kind | labels | what it is |\n|---|---|---|---|\n", *rows])


def test_each_metric_is_in_the_table() -> None:
    written = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    assert written == table(), f"the table must be:\n{table()}"


def names_in(rules: str) -> set[str]:
    """The metrics that the expressions use, without the suffixes of a histogram."""
    expressions = re.findall(r"expr: (.*)", rules)
    found = {name for expression in expressions for name in re.findall(r"\b(?:mektup|process)_\w+", expression)}
    return {name if name in METRICS else re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_the_rules_use_metrics_that_exist_and_each_is_explained() -> None:
    rules = RULES.read_text()
    assert names_in(rules) <= set(METRICS)
    alerts = re.findall(r"alert: (\w+)", rules)
    assert alerts
    explained = re.findall(r"`(Mektup\w+)`", PAGE.read_text())
    assert sorted(alerts) == sorted(explained)


def test_promtool_accepts_the_rules() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    checked = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=20)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "SUCCESS" in checked.stdout


@pytest.mark.parametrize(("label", "values"), [("reason", REASONS), ("kind", FAULTS)])
def test_the_values_of_labels_are_explained(label: str, values: set[str]) -> None:
    page = PAGE.read_text()
    (told,) = re.findall(rf"^- `{label}` of a (?:refused login|fault of the store): (.*?)(?=^- |^$)", page, re.M | re.S)
    assert set(re.findall(r"`([a-z -]+)`", told)) == values


def test_the_states_of_a_session_are_explained() -> None:
    (told,) = re.findall(r"^- `state` of a session: (.*?)(?=^- )", PAGE.read_text(), re.M | re.S)
    assert set(re.findall(r"`([a-z ]+)`", " ".join(told.split()))) == {CONNECTING, *STAGES}
