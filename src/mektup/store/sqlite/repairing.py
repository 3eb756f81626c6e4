"""Repairs an account, while servers use it or not: a copy of its file first, then one transaction for each step.

The steps write as everything else does: they take SQLite's lock, and all processes are told of the change. So workers
read again what they remember.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

from mektup.store import files
from mektup.store.faults import in_words
from mektup.store.interface import AccountEntry, Bus
from mektup.store.rules.consistency import Finding, Kind, Mend
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.checking import NONSENSE, Progress, Report, check_account, check_directory
from mektup.store.sqlite.file import inspection
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.store import open_store
from mektup.store.sqlite.tables.checks import octets, texts_kept
from mektup.store.sqlite.tables.checks.accounts import Known
from mektup.store.sqlite.tables.repairs import contents, index, mailboxes, recovered
from mektup.store.sqlite.tables.text_index import put_again
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from mektup.terms.texts import Text

OF_CONTENTS: Final = frozenset(
    {Kind.NO_CONTENT, Kind.NO_DERIVED, Kind.OCTETS, Kind.RENDERED, Kind.SEARCH_TEXT, Kind.LOST_MESSAGE, Kind.SIZE}
)
OF_MAILBOXES: Final = frozenset(
    {Kind.COUNTERS, Kind.UIDNEXT, Kind.MODSEQ, Kind.KEYWORDS, Kind.CHANGED_RUNS, Kind.EXPUNGED_RUNS, Kind.SIZE}
    | {Kind.FLAGS, Kind.DATE}
)


ROUNDS: Final = 3
"""How often an account is repaired and checked again: a mended index may show what else is wrong."""


def mendable(findings: Collection[Finding]) -> frozenset[Kind]:
    """The kinds of *findings* that ``repair`` mends."""
    return frozenset(each.kind for each in findings if each.mend is Mend.REPAIR)


def copy_before(report: Report) -> Path:
    """Copies the account's file, page by page, so that a damaged one is copied as it is; returns the copy.

    Raises OSError, apsw's errors.
    """
    path = report.path
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    target = path.with_name(f"{path.name}.before-repair-{stamp}")
    source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with open(files.make_empty(target), "wb"):
            pass
        copy = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            with copy.backup("main", source, "main") as steps:
                steps.step()
        finally:
            copy.close()
    finally:
        source.close()
    files.sync(target)
    files.sync(target.parent)
    return target


async def repair(data: Path, report: Report, limits: Limits, progress: Progress, bus: Bus | None) -> Report:
    """Mends what can be mended of *report*, and checks again. The result says what was done and what is left.

    *bus* tells running servers of the changes.
    """
    if not report.name:
        return await _repair_directory(data, report, bus)
    copy: Path | None = None
    saved = 0
    problem: Text | str = ""
    done = frozenset[Kind]()
    before = report
    for _ in range(ROUNDS):
        kinds = mendable(report.findings)
        if not kinds or kinds <= done:
            break
        done |= kinds
        try:
            _mend_access(data, report)
            if kinds != {Kind.ACCESS}:
                copy = copy or copy_before(report)
                saved += await _repair_account(data, report, limits, bus)
        except (Refused, apsw.Error, OSError, *NONSENSE) as error:
            problem = in_words(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        known = Known(AccountId(report.path.stem), report.name, 0)
        report = check_account(data, known, limits, progress)
    left = {each.kind for each in report.findings}
    mended = tuple(kind for kind in dict.fromkeys(each.kind for each in before.findings) if kind not in left)
    return replace(report, repaired=mended, copy=copy, recovered=saved, problem=problem)


async def _repair_directory(data: Path, report: Report, bus: Bus | None) -> Report:
    _mend_access(data, report)
    if Kind.UNFINISHED in mendable(report.findings):
        store = await open_store(data, bus=bus)
        try:
            await store.tidy()
        finally:
            await store.close()
    after = check_directory(data)
    left = {each.kind for each in after.findings}
    return replace(after, repaired=tuple(kind for kind in mendable(report.findings) if kind not in left))


def _mend_access(data: Path, report: Report) -> None:
    for each in report.findings:
        if each.kind is Kind.ACCESS and each.mend is Mend.REPAIR:
            inspection.mend_access(data, Path(each.place))


async def _repair_account(data: Path, report: Report, limits: Limits, bus: Bus | None) -> int:
    """Mends an account; returns how many messages were put into Recovered."""
    store = await open_store(data, bus=bus, limits=limits)
    try:
        account = await store.account(AccountEntry(AccountId(report.path.stem), report.name, {}))
        return await _mend(account, report.findings, limits)
    finally:
        await store.close()


async def _mend(account: SqliteAccount, findings: Sequence[Finding], limits: Limits) -> int:
    kinds = mendable(findings)
    for step in _steps(kinds):
        await account.database.write(step, long=True)
    if kinds & OF_CONTENTS:
        await _contents(account, limits)
    saved = 0
    if kinds & {Kind.NO_MAILBOX, Kind.LOST_MESSAGE}:
        saved = await account.database.write(partial(recovered.recover, limits=limits), long=True)
    for step in _last_steps(kinds):
        await account.database.write(step, long=True)
    if kinds & OF_MAILBOXES:
        for mailbox in await account.database.read_long(mailboxes.everything):
            await account.database.write(partial(mailboxes.recount, mailbox=mailbox), long=True)
    if Kind.TEXT_INDEX in kinds:
        await _index(account, limits, whole=any(each.place == "trigrams" for each in findings))
    return saved


Step = Callable[[Change], Any]


def _steps(kinds: Collection[Kind]) -> Iterator[Step]:
    """The steps that others rely on."""
    if Kind.LOOKUP in kinds:
        yield mailboxes.lookup
    if Kind.NUMBERS in kinds or Kind.MODSEQ in kinds:
        yield mailboxes.numbers
    if Kind.TREE in kinds:
        yield mailboxes.tree
    if Kind.FLAGS in kinds:
        yield mailboxes.flags
    if Kind.RETAINED in kinds:
        yield contents.kept


def _last_steps(kinds: Collection[Kind]) -> Iterator[Step]:
    if Kind.SIZE in kinds:
        yield contents.sizes
    if Kind.LEFT_OVER in kinds:
        yield contents.left_over
    if Kind.HEADER_FIELDS in kinds:
        yield contents.header_fields
    if Kind.COPIES in kinds:
        yield contents.copies
    if Kind.LOG in kinds:
        yield mailboxes.log
    if Kind.METADATA in kinds:
        yield mailboxes.metadata
    if Kind.QUOTA in kinds:
        yield mailboxes.quota


async def _contents(account: SqliteAccount, limits: Limits) -> None:
    read, write = account.database.read_long, account.database.write
    blocks = await read(lambda cursor: list(texts_kept.wrong_blocks(cursor)))
    again = (await read(octets.wrong, limits)).again
    again |= set(await read(contents.without_row)) | set(await read(contents.in_blocks, blocks))
    numbers = sorted(again)
    for start in range(0, len(numbers), contents.AT_ONCE):
        some = numbers[start : start + contents.AT_ONCE]
        await write(partial(contents.store_again, numbers=some, limits=limits), long=True)
    await write(partial(contents.remove_unused_blocks, firsts=blocks), long=True)


async def _index(account: SqliteAccount, limits: Limits, *, whole: bool) -> None:
    read, write = account.database.read_long, account.database.write
    if whole:
        await write(index.empty, long=True)
        numbers = await read(index.documents)
    else:
        await write(index.forget_strays, long=True)
        wrong = (await read(octets.wrong, limits)).documents
        numbers = sorted({*wrong, *await read(index.missing)})
    for start in range(0, len(numbers), index.AT_ONCE):
        some = numbers[start : start + index.AT_ONCE]
        await write(partial(put_again, documents=some, limits=limits), long=True, durable=False)
