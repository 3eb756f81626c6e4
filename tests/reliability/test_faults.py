"""A failing disk changes nothing that was refused; and a store that remembers what was refused is noticed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.database import Database
from reliability.disk.places import fast_directory
from reliability.faults.deeds import DEEDS
from reliability.faults.plans import Kind, Plan
from reliability.faults.trial import Answer, Trial, Wrong, furnished

STORE_FLAGS = next(deed for deed in DEEDS if deed.name == "store flags")
KINDS = (Kind.FULL, Kind.NO_SYNC, Kind.READ_ONLY, Kind.STATEMENT_MEMORY)


@pytest.fixture
async def trial() -> AsyncIterator[Trial]:
    with tempfile.TemporaryDirectory(dir=fast_directory()) as base:
        await furnished(Path(base, "template"), STORE_FLAGS)
        trial = Trial(STORE_FLAGS, Path(base, "template"), Path(base, "trial"), is_cold=False)
        await trial.learn()
        yield trial


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_refused_is_not_done(trial: Trial, kind: Kind) -> None:
    answers: set[Answer] = set()
    point = 1
    while (outcome := await trial.run(Plan(kind, point, lasting=False))).failures:
        answers.add(outcome.answer)
        point += 5
    assert answers


async def test_a_store_that_remembers_what_was_refused_is_noticed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(database: Database, connection: apsw.Connection, change: Change) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    monkeypatch.setattr(Database, "_roll_back", forgetful)
    found = []
    for point in range(1, 40, 4):
        try:
            await trial.run(Plan(Kind.STATEMENT_MEMORY, point, lasting=False))
        except (Wrong, AssertionError) as wrong:
            found.append(str(wrong))
    assert found
