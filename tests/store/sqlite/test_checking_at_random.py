"""Any sequence of operations leaves a clean account; any flipped bits give findings, and no error."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.store.columns import HeaderFields
from mektup.store.interface import Account
from mektup.store.rules.consistency import Mend
from mektup.store.sqlite import check_all, open_store, repair
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, Uid
from mektup.terms.sets import Uids
from tests.contract.mail import fetched, incoming, raw
from tests.store.sqlite.conftest import file_of
from tests.store.sqlite.test_checking import Quiet, found
from tests.store.sqlite.test_repairing import mail

NAMES = ("INBOX", "Archive", "Work", "Work/Letters", "Work/Letters/Old", "İş", "inbox/Below")
FLAGS = ("\\Seen", "\\Deleted", "$A", "$B", "$c")

names = st.sampled_from(NAMES)
sets = st.tuples(st.integers(1, 20), st.integers(0, 10)).map(lambda run: Uids.span(run[0], run[0] + run[1]))
flags = st.frozensets(st.sampled_from(FLAGS), max_size=3)
operations = st.one_of(
    st.tuples(st.just("append"), names, st.lists(flags, min_size=1, max_size=12)),
    st.tuples(st.just("store"), names, sets, st.sampled_from(FlagChange), flags),
    st.tuples(st.just("copy"), names, sets, names),
    st.tuples(st.just("move"), names, sets, names),
    st.tuples(st.just("expunge"), names),
    st.tuples(st.just("remove"), names, sets),
    st.tuples(st.just("create"), names),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("subscribe"), names),
    st.tuples(st.just("unsubscribe"), names),
    st.tuples(st.just("select"), names),
    st.tuples(st.just("fields"), names),
    st.tuples(st.just("index")),
    st.tuples(st.just("renew")),
    st.tuples(st.just("compact")),
    st.tuples(st.just("reopen")),
)


async def mailbox_id(account: Account, name: str) -> int:
    return (await account.mailbox(name)).id


async def carry_out(account, operation) -> None:  # type: ignore[no-untyped-def]
    match operation:
        case ("append", name, flag_sets):
            messages = [
                incoming(*each, octets=raw(f"number {at}", "text\r\n" * at)) for at, each in enumerate(flag_sets)
            ]
            await account.append(await mailbox_id(account, name), messages)
        case ("store", name, uids, change, some):
            await account.store_flags(await mailbox_id(account, name), uids, change, some)
        case ("copy" | "move" as what, name, uids, target):
            await getattr(account, what)(await mailbox_id(account, name), uids, target)
        case ("expunge", name):
            await account.expunge(await mailbox_id(account, name), None)
        case ("remove", name, uids):
            await account.remove(await mailbox_id(account, name), uids)
        case ("select", name):
            await account.select(name, claim_recent=True)
        case ("fields", name):
            every = Uids.span(Uid(1), Uid(500))
            await fetched(account, await mailbox_id(account, name), every, HeaderFields(frozenset({b"from"})))
        case ("index",):
            await account.indexer.finish()
            await account.indexer.tidy()
        case (what, *arguments):
            await getattr(account, what)(*arguments)


async def after(sequence: list[tuple[object, ...]], compression: int | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        store = await open_store(data, compression=compression)
        entry = await store.directory.add("linda", {})
        account = await store.account(entry)
        await carry_out(account, ("append", "INBOX", [frozenset()] * 130))
        for operation in sequence:
            if operation == ("reopen",):
                await store.close()
                store = await open_store(data, compression=compression)
                account = await store.account(entry)
                continue
            try:
                await carry_out(account, operation)
            except Refused:
                pass
        assert found(data) == []
        await store.close()
        assert found(data) == []


@settings(max_examples=8, deadline=None)
@given(st.lists(operations, max_size=20), st.sampled_from([None, 3]))
def test_any_sequence_of_operations_leaves_a_clean_account(
    sequence: list[tuple[object, ...]], compression: int | None
) -> None:
    asyncio.run(after(sequence, compression))


async def small(data: Path) -> AccountId:
    store = await open_store(data, compression=3)
    account = await store.account(await store.directory.add("linda", {}))
    inbox = (await account.mailbox("INBOX")).id
    await account.append(inbox, [incoming("$A", octets=raw(f"number {at}", "some text\r\n" * 30)) for at in range(20)])
    await account.indexer.finish()
    await account.append(inbox, [incoming(octets=raw("large", "x" * 70 * 1024))])
    await account.copy(inbox, Uids.span(Uid(1), Uid(3)), "Archive")
    await store.close()
    return account.id


@pytest.fixture(scope="module")
def small_account(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AccountId, set[bytes]]:
    data = tmp_path_factory.mktemp("small") / "data"
    account = asyncio.run(small(data))
    return data, account, asyncio.run(mail(data))


def flip(path: Path, chance: random.Random) -> None:
    """Flips some bits of one place, or overwrites a whole page."""
    octets = bytearray(path.read_bytes())
    if chance.random() < 0.15:
        page = chance.randrange(len(octets) // 4096) * 4096
        octets[page : page + 4096] = chance.choice([bytes(4096), chance.randbytes(4096)])
    else:
        for _ in range(chance.randint(1, 4)):
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    path.write_bytes(octets)


async def flipped(original: tuple[Path, AccountId, set[bytes]], data: Path, seed: int) -> bool:
    """Checks and repairs a copy with flipped bits; returns whether something was found."""
    source, account, before = original
    shutil.copytree(source, data)
    flip(file_of(data, account), random.Random(seed))
    reports = list(check_all(data, (), DEFAULT_LIMITS, Quiet()))
    if not any(report.findings for report in reports):
        assert await mail(data) == before
        return False
    if any(each.mend is Mend.REPAIR for report in reports for each in report.findings):
        after = [await repair(data, report, DEFAULT_LIMITS, Quiet(), None) for report in reports]
        if not any(report.findings for report in after):
            assert await mail(data) == before
    return True


@pytest.mark.parametrize("seed", range(10))
async def test_flipped_bits_are_found_or_do_no_harm(
    small_account: tuple[Path, AccountId, set[bytes]], data: Path, seed: int
) -> None:
    await flipped(small_account, data, seed)
