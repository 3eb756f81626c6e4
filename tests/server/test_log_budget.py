"""No client can fill the log: each user and each network has a budget, and lines beyond it are counted and reported."""

from __future__ import annotations

import io
import json

import pytest

from mektup.server import log_budget
from mektup.server.log_budget import BURST_BYTES, BYTES_PER_SECOND, LogBudget
from mektup.server.logs import Log


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def written(budget: LogBudget, count: int, **event: object) -> int:
    """How many of *count* lines of 256 octets are written."""
    admitted = 0
    for _ in range(count):
        if budget.admits(event):
            budget.spend(event, 256)
            admitted += 1
    return admitted


EVENTS = [
    {"event": "auth_failed", "protocol": "imap", "address": "192.0.2.1", "user": "linda"},
    {"event": "session_ended", "protocol": "pop3", "address": "192.0.2.1", "user": None},
    {"event": "login", "protocol": "imap", "address": "192.0.2.1", "user": "linda"},
    {"event": "command_failed", "protocol": "imap", "address": "192.0.2.1", "user": "linda"},
    {"event": "session_failed", "protocol": "imaps", "address": "unix"},
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_all_lines_that_a_client_causes_are_bounded(event: dict[str, object]) -> None:
    clock = Clock()
    budget = LogBudget(clock)
    assert written(budget, 100_000, **event) == BURST_BYTES // 256
    clock.now += 10
    assert written(budget, 100_000, **event) == 10 * BYTES_PER_SECOND // 256
    assert budget.left_out == 200_000 - (BURST_BYTES + 10 * BYTES_PER_SECOND) // 256


def test_names_that_are_guessed_do_not_make_an_allowance_each() -> None:
    budget = LogBudget(Clock())
    total = sum(
        written(budget, 1, event="auth_failed", protocol="imap", address="192.0.2.1", user=f"user{number}")
        for number in range(10_000)
    )
    assert total == BURST_BYTES // 256


def test_the_addresses_of_one_ipv6_network_share_an_allowance() -> None:
    budget = LogBudget(Clock())
    total = sum(
        written(budget, 1, event="session_ended", protocol="imap", address=f"2001:db8:1:2::{number:x}")
        for number in range(1, 10_000)
    )
    assert total == BURST_BYTES // 256


def test_many_networks_share_one_more() -> None:
    budget = LogBudget(Clock())
    total = sum(
        written(budget, 100, event="session_ended", protocol="imap", address=f"10.{high}.{low}.1")
        for high in range(10)
        for low in range(100)
    )
    assert total == log_budget.STRANGERS_BURST_BYTES // 256


def test_strangers_take_nothing_from_users_and_users_nothing_from_each_other() -> None:
    budget = LogBudget(Clock())
    for network in range(100):
        written(budget, 1000, event="session_ended", protocol="imap", address=f"10.0.{network}.1")
    written(budget, 1000, event="session_ended", protocol="imap", address="10.0.0.1", user="deniz")
    assert written(budget, 10, event="login", protocol="imap", address="10.0.0.1", user="linda") == 10


def test_deliveries_and_lines_without_a_client_are_always_written() -> None:
    budget = LogBudget(Clock())
    assert written(budget, 10_000, event="worker_died") == 10_000
    assert written(budget, 10_000, event="delivered", protocol="lmtp", address="unix", user="linda") == 10_000


def test_refused_deliveries_are_limited_and_take_nothing_from_others() -> None:
    budget = LogBudget(Clock())
    refused = written(budget, 10_000, event="delivery_refused", protocol="lmtp", address="192.0.2.1")
    assert refused < 1000
    assert budget.left_out == 10_000 - refused
    assert written(budget, 10_000, event="delivered", protocol="lmtp", address="192.0.2.1") == 10_000
    assert written(budget, 100, event="auth_failed", protocol="imap", address="192.0.2.9") == 100


def test_left_out_lines_are_reported_by_event_once_a_second() -> None:
    stream = io.StringIO()
    log = Log("info", "json", stream)
    clock = Clock()
    log._budget.clock = clock
    bound = log.logger.bind(protocol="imap", address="192.0.2.1")
    for _ in range(5000):
        bound.warning("auth_failed", user="linda")
    clock.now += 2
    log.logger.info("certificate_replaced")
    log.logger.info("certificate_replaced")
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [entry for entry in entries if entry["event"] == "log_lines_left_out"]
    assert [entry["lines"] for entry in told] == [entry["auth_failed"] for entry in told]
    assert sum(entry["lines"] for entry in told) == log.left_out
    assert sum(entry["event"] == "auth_failed" for entry in entries) == 5000 - log.left_out
    assert log.left_out > 4000
    assert len(stream.getvalue()) < 2 * BURST_BYTES
