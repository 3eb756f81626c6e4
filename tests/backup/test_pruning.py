"""Old backups are removed with what only they have, and nothing else, wherever a prune is cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mektup.backup.manifests import stamp_of
from mektup.backup.pruning import Pruned, prune
from mektup.backup.verifying import Verifying
from mektup.store.interface import Store
from mektup.terms.errors import Code, Refused
from tests.backup.conftest import Backup, State, linda, state_of
from tests.backup.test_verifying import flip, page_in
from tests.contract.mail import EVERYTHING, inbox, incoming, raw

OpenStore = Callable[[], Awaitable[Store]]
LATER = stamp_of(1_900_000_000)


def size(backup: Backup) -> int:
    return sum(path.stat().st_size for path in backup.directory.rglob("*.pack"))


def keep(backup: Backup, count: int) -> Pruned:
    with backup.shelf.locked():
        return prune(backup.shelf, count, LATER)


async def three(store: Store, backup: Backup) -> list[tuple[str, State]]:
    """Three backups; each has messages that the others do not have, and one that all have."""
    account = await linda(store)
    trash = (await account.mailbox("Trash")).id
    await account.append(trash, [incoming(octets=raw("always"))])
    made: list[tuple[str, State]] = []
    for number in range(3):
        mailbox = await inbox(account)
        await account.remove(mailbox, EVERYTHING)
        await account.append(mailbox, [incoming(octets=raw(f"{number}", bytes(range(97, 123)).decode() * 400))])
        done = await backup.take(store)
        made.append((done.stamp, await state_of(account)))
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 9])
async def test_the_newest_stay_whole(open_any: OpenStore, backup: Backup, count: int) -> None:
    made = await three(await open_any(), backup)
    before = size(backup)
    pruned = keep(backup, count)
    assert pruned.runs == max(0, 3 - count)
    assert backup.shelf.runs() == [stamp for stamp, _ in made[-count:]]
    assert not Verifying(backup.shelf).run().problems
    assert before - size(backup) == pruned.octets
    assert (size(backup) < before) == (count < 3)
    for stamp, state in made[-count:]:
        other = await open_any()
        await backup.restore(other, "linda", at=stamp)
        assert await state_of(await linda(other)) == state
    assert keep(backup, count) == Pruned()


async def test_accounts_that_no_kept_backup_has_are_removed(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    await three(store, backup)
    await store.directory.add("fred", {})
    await store.directory.remove("linda")
    await backup.take(store)
    keep(backup, 1)
    assert not [path for path in backup.directory.rglob("*.pack") if path.stat().st_size > 2000]
    assert len(backup.shelf.accounts()) == 1


async def test_backups_of_some_accounts_do_not_count(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    made = await three(store, backup)
    await store.directory.add("fred", {})
    await backup.take(store, "fred")
    keep(backup, 1)
    assert backup.shelf.runs()[0] == made[-1][0]
    assert len(backup.shelf.runs()) == 2


async def test_nothing_is_removed_where_a_list_cannot_be_read(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    await three(store, backup)
    pack, offset = page_in(backup, (await linda(store)).id)
    flip(pack, offset + 60)
    before = {path for path in backup.directory.rglob("*") if path.is_file()}
    with pytest.raises(Refused) as refused:
        keep(backup, 1)
    assert refused.value.code is Code.CORRUPTION
    assert {path for path in backup.directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("calls", range(12))
async def test_a_prune_that_is_cut_off_loses_nothing(
    open_any: OpenStore, backup: Backup, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    store = await open_any()
    made = await three(store, backup)
    left = calls
    unlink = Path.unlink

    def cut_off(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        if left == 0:
            raise InterruptedError
        left -= 1
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", cut_off)
        try:
            keep(backup, 1)
        except InterruptedError:
            pass
    assert not [problem for problem in Verifying(backup.shelf).run().problems if ".index" not in str(problem)]
    other = await open_any()
    await backup.restore(other, "linda")
    assert await state_of(await linda(other)) == made[-1][1]
    keep(backup, 1)
    assert backup.shelf.runs() == [made[-1][0]]
    assert not Verifying(backup.shelf).run().problems
