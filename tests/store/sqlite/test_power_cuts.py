"""If power is lost at any sync while an account's file is rewritten, none of its mail is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite import open_store
from mektup.store.sqlite.tables import recovery
from mektup.terms.sets import Uids
from tests.contract.mail import entry_of, fill
from tests.store.sqlite.conftest import file_of
from tests.store.sqlite.power_loss import Power

MESSAGES = 60


class EachSync(Power):
    """Records what would be on disk before and after each sync."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(data, monkeypatch)
        self.cuts: list[dict[Path, bytes]] = []

    def before_sync(self, path: Path) -> None:
        self.cuts.append(self.disk())

    def synced(self, path: Path) -> None:
        super().synced(path)
        self.cuts.append(self.disk())


@pytest.fixture
def power(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EachSync]:
    power = EachSync(data, monkeypatch)
    yield power
    power.close()


async def test_a_compaction_that_loses_power_loses_no_mail(
    data: Path, power: EachSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, MESSAGES)
    await account.remove(mailbox, Uids.span(1, MESSAGES // 2))
    path = file_of(data, account.id)
    power.cuts.clear()
    await account.compact()
    await store.close()
    cuts = list(power.cuts)
    assert len(cuts) > 4
    for number, cut in enumerate(cuts):
        power.restore(cut)
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            assert connection.pragma("integrity_check") == "ok"
        monkeypatch.setattr(recovery, "boot", lambda life=f"life {number}": life)
        store = await open_store(data)
        account = await store.account(entry_of(account))
        selection = await account.select("INBOX", claim_recent=False)
        assert selection.uids == Uids.span(MESSAGES // 2 + 1, MESSAGES)
        await store.close()
