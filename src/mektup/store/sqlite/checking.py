"""Checks a data directory, while servers use it or not: the directory of accounts, and each account's file.

A check opens each file by itself, as a reader that changes nothing, because a file that is damaged cannot be opened as
an account. Damaged values may have any type and any size; whatever they raise becomes a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import apsw

from mektup.store import files
from mektup.store.rules.consistency import Finding, Kind, finding
from mektup.store.sqlite.file import inspection
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.inspection import CannotLookError
from mektup.store.sqlite.file.schema import Schema
from mektup.store.sqlite.sql_functions import equip
from mektup.store.sqlite.tables import recovery
from mektup.store.sqlite.tables.checks import accounts, mailboxes, octets, pages, references, texts_kept
from mektup.store.sqlite.tables.checks.accounts import Known
from mektup.store.sqlite.tables.schema import ACCOUNT, DIRECTORY
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from mektup.terms.texts import Text

NAMES: Final = "mektup.db"

NONSENSE: Final = (*octets.UNREADABLE, LookupError, ArithmeticError, AttributeError, AssertionError, Refused)
"""What a check may raise where stored values have a wrong type or size."""

_ENDS: Final = frozenset({Kind.NOT_OURS, Kind.NEWER, Kind.OLDER, Kind.TABLES})
"""After these, the tables cannot be read."""

Check = Callable[[], Iterator[Finding]]


class Progress(Protocol):
    """Told how far a check is."""

    def begin(self, name: str, messages: int) -> None:
        """The messages of the account *name* are read now."""

    def advance(self, messages: int) -> None:
        """So many more messages were read."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of checking one account, or the directory of accounts."""

    name: str
    """The account's name; empty for the directory."""
    path: Path
    findings: tuple[Finding, ...]
    messages: int = 0
    size: int = 0
    """Octets of all messages."""
    repaired: tuple[Kind, ...] = ()
    """What a repair has mended; *findings* are those that are left."""
    copy: Path | None = None
    """The copy of the file from before the repair."""
    recovered: int = 0
    """How many messages a repair has put into Recovered."""
    problem: Text | str = ""
    """Why a repair has ended early."""


def check_all(
    data: Path, names: Collection[str], limits: Limits, progress: Progress, *, quick: bool = False
) -> Iterator[Report]:
    """Checks the accounts *names*; for none of them, all accounts and their directory. One report at a time.

    With *quick*, the octets of messages are not read. Raises Refused where there is no such account.
    """
    report, known = _directory(data)
    some = accounts.named(known, names) if names else known
    if not names:
        yield report
        if not known and report.findings:  # the files have the mail
            some = [Known(AccountId(path.stem), path.stem, 0) for path in account_files(data)]
    for each in some:
        report = check_account(data, each, limits, progress, quick=quick)
        if not report.findings or each not in known or _is_there(data, each.id):
            yield report


def account_files(data: Path) -> list[Path]:
    """The files of accounts, whether the directory knows them or not."""
    return sorted((data / "accounts").glob("[0-9a-f][0-9a-f]/*.db"))


def path_of(data: Path, account: AccountId) -> Path:
    """The file of an account."""
    return data / "accounts" / account[:2] / f"{account}.db"


# The directory


def check_directory(data: Path) -> Report:
    """Checks the directory of accounts."""
    return _directory(data)[0]


def _directory(data: Path) -> tuple[Report, list[Known]]:
    path = data / NAMES
    known: list[Known] = []

    def look(cursor: Cursor) -> Iterator[Finding]:
        if (yield from _tables(cursor, path, DIRECTORY, quick=False)):
            return
        known.extend(accounts.known(cursor))
        yield from _run(path, lambda: accounts.entries(cursor))
        yield from _run(path, lambda: _strays(data, cursor))

    found = [
        *inspection.access(data, path, files.FILE_MODE),
        *inspection.access(data, data / "accounts", files.DIRECTORY_MODE),
        *_run(path, lambda: _looked(path, look)),
    ]
    return Report("", path, tuple(dict.fromkeys(found))), known


def _strays(data: Path, cursor: Cursor) -> Iterator[Finding]:
    """Additions and removals that a killed process left, and files of no account."""
    there = account_files(data)
    left = accounts.unfinished(cursor)  # read after the files, so that new accounts are known
    for path in there:
        account = AccountId(path.stem)
        if account not in left and not accounts.is_there(cursor, account) and path.exists():
            yield Finding(Kind.FILE_UNKNOWN, str(path))
    lock = files.lock(data / "accounts", alone=True)
    if lock is None:
        return  # a process adds or removes an account now
    try:
        left = accounts.unfinished(cursor)
    finally:
        files.unlock(lock)
    yield from finding(Kind.UNFINISHED, "", "account", left)


def _is_there(data: Path, account: AccountId) -> bool:
    """Whether the account still exists: it may have been removed while it was checked."""
    there: list[bool] = []

    def look(cursor: Cursor) -> Iterator[Finding]:
        there.append(accounts.is_there(cursor, account))
        yield from ()

    wrong = list(_run(data / NAMES, lambda: _looked(data / NAMES, look)))
    return bool(wrong) or there == [True]


# An account


def check_account(data: Path, known: Known, limits: Limits, progress: Progress, *, quick: bool = False) -> Report:
    """Checks one account."""
    path = path_of(data, known.id)
    size = [0, 0]

    def look(cursor: Cursor) -> Iterator[Finding]:
        equip(cursor.connection, limits)
        if (yield from _tables(cursor, path, ACCOUNT, quick=quick)):
            return
        gone = list(_run(path, lambda: accounts.account(cursor, known)))
        yield from gone
        if any(each.kind is Kind.UNFINISHED for each in gone):
            return
        for check in _checks(cursor, limits):
            yield from _run(path, check)
        if not quick:
            progress.begin(known.name, octets.count(cursor))
            yield from _run(path, lambda: octets.contents(cursor, limits, progress.advance))
            yield from _run(path, lambda: texts_kept.header_fields(cursor))
        size[:] = mailboxes.size(cursor)

    found = [
        *inspection.access(data, path.parent, files.DIRECTORY_MODE),
        *inspection.access(data, path, files.FILE_MODE),
        *_run(path, lambda: _looked(path, look)),
    ]
    if not any(each.kind in (Kind.FILE_MISSING, Kind.UNREADABLE, Kind.CUT_OFF) for each in found):
        found += _run(path, lambda: _looked(path, lambda cursor: _lost(cursor, path)))
    return Report(known.name, path, tuple(dict.fromkeys(found)), size[0], size[1])


def _checks(cursor: Cursor, limits: Limits) -> Iterator[Check]:
    yield lambda: mailboxes.tree(cursor, limits)
    yield lambda: mailboxes.log(cursor)
    yield lambda: mailboxes.quota(cursor)
    yield lambda: mailboxes.metadata(cursor)
    yield lambda: references.of_mailboxes(cursor)
    for number in mailboxes.ids(cursor):
        yield partial(mailboxes.mailbox, cursor, number)
        yield partial(references.of_mailbox, cursor, number)
    yield lambda: references.of_contents(cursor)
    yield lambda: references.of_retained(cursor)
    yield lambda: texts_kept.documents(cursor)
    yield lambda: texts_kept.blocks(cursor)


def _lost(cursor: Cursor, path: Path) -> Iterator[Finding]:
    # after a restart of the machine, an end of the WAL that cannot be read is usual
    if recovery.is_same_life(cursor, recovery.boot()):
        yield from inspection.lost(cursor, path)


# Boundaries


def _looked(path: Path, look: Callable[[Cursor], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        with inspection.opened(path) as cursor:
            yield from look(cursor)
    except CannotLookError as error:
        yield error.finding


def _run(path: Path, check: Check) -> Iterator[Finding]:
    """The findings of *check*, and one for whatever ends it."""
    try:
        yield from check()
    except (apsw.Error, OSError) as error:
        yield inspection.finding_of(error, path)
    except NONSENSE as error:
        yield Finding(Kind.NOT_CHECKED, str(path), f"{type(error).__name__}: {error}")


def _tables(cursor: Cursor, path: Path, schema: Schema, *, quick: bool) -> Generator[Finding, None, bool]:
    """What SQLite finds, and whether the tables are those of *schema*; returns whether the other checks must end."""
    wrong = inspection.version(cursor, path, schema)
    found = [] if wrong is None else [wrong]
    if wrong is None:
        found += _run(path, lambda: pages.schema(cursor, schema))
    found += _run(path, lambda: pages.pages(cursor, quick=quick))
    yield from found
    return not _ENDS.isdisjoint(each.kind for each in found)
