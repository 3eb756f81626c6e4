"""What ``/health`` says, in words and in JSON."""

from __future__ import annotations

import json

from mektup.server.health import health_of
from mektup.server.metrics import Status

DAY = 24 * 3600.0


def status(days: float = 100.0, up: int = 2, troubles: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> Status:
    return Status({}, 2, up, days * DAY, troubles, warnings)


def test_a_healthy_server() -> None:
    health = health_of(status())
    assert health.is_well
    assert health.text() == b"2 of 2 workers up\n"
    expected = {"healthy": True, "workers": 2, "workers_up": 2, "troubles": [], "warnings": []}
    assert json.loads(health.json()) == expected


def test_a_trouble_is_told_in_words_and_in_json() -> None:
    health = health_of(status(up=1, troubles=("worker 1 does not answer",)))
    assert not health.is_well
    assert health.text() == b"1 of 2 workers up\nworker 1 does not answer\n"
    assert json.loads(health.json())["troubles"] == ["worker 1 does not answer"]


def test_a_warning_leaves_the_server_healthy() -> None:
    health = health_of(status(warnings=("the log cannot be written",)))
    assert health.is_well
    assert health.text().endswith(b"\nwarning: the log cannot be written\n")
    assert json.loads(health.json())["warnings"] == ["the log cannot be written"]


def test_an_expired_certificate_is_a_trouble_and_one_that_expires_soon_a_warning() -> None:
    expired = health_of(status(days=-2.5))
    assert not expired.is_well
    assert expired.troubles == ("the certificate expired 2.5 days ago: most clients refuse it",)
    soon = health_of(status(days=3.0))
    assert soon.is_well
    assert soon.warnings == ("the certificate expires in 3.0 days",)


def test_no_worker_is_no_health() -> None:
    assert not health_of(status(up=0)).is_well
