"""If a server fails in a row, the report says so, and the rest is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from bench.report import remarks
from bench.rows.registry import Bench, Measured, Row, Stage, Unit
from bench.turns import Result, measure


@dataclass
class Server:
    """The part of a Bench that ``turns`` uses; it fails at the run with a given number."""

    name: str
    fails_at: int | None = None
    capabilities: frozenset[str] = frozenset()
    runs: list[str] = field(default_factory=list)
    hung_up: int = 0

    def restart(self, workers: int) -> None:
        pass

    def wait_for_rest(self) -> None:
        pass

    def hang_up(self) -> None:
        self.hung_up += 1


def run(bench: Bench, key: str) -> Measured:
    server = cast(Server, bench)
    server.runs.append(key)
    if len(server.runs) == server.fails_at:
        raise OSError("no more")
    return Measured(1.0, 0.5, lambda: "an answer")


def rows(*keys: str) -> list[Row]:
    return [
        Row(key, key, lambda bench, key=key: run(bench, key), 1.0, False, Unit.SECONDS, (), Stage.ONE)  # type: ignore[misc]
        for key in keys
    ]


def results(*servers: Server) -> list[Result]:
    return measure(cast(Any, servers), rows("first", "second"), 3, lambda text: None)


def test_both_are_measured_in_turn() -> None:
    mine, theirs = Server("mektup"), Server("Dovecot")
    found = results(mine, theirs)
    assert [result.figures for result in found] == [{"mektup": [1.0] * 3, "Dovecot": [1.0] * 3}] * 2
    assert list(remarks(found)) == []


def test_the_order_of_the_servers_changes_each_turn() -> None:
    order: list[str] = []

    def noted(bench: Bench) -> Measured:
        order.append(bench.name)
        return Measured(1.0, None, lambda: "an answer")

    row = Row("key", "title", noted, 1.0, False, Unit.SECONDS, (), Stage.ONE)
    measure(cast(Any, (Server("mektup"), Server("before"))), [row], 3, lambda text: None)
    assert order[2:] == ["mektup", "before", "before", "mektup", "mektup", "before"]


def test_a_server_that_failed_is_measured_again_in_the_next_row() -> None:
    mine, theirs = Server("mektup"), Server("Dovecot", fails_at=3)
    first, second = results(mine, theirs)
    assert (first.figures, first.difference) == ({"mektup": [1.0] * 3}, None)
    assert second.figures == {"mektup": [1.0] * 3, "Dovecot": [1.0] * 3}
    assert theirs.hung_up == 1
    assert list(remarks([first, second])) == ["first: FAILED: Dovecot: no more"]
