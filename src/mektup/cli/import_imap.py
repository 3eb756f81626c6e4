"""``mektup import`` from another server: one user, or many from a table."""

from __future__ import annotations

import asyncio
import getpass
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from mektup.cli import texts
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.import_progress import Shown, Within, shown_on_terminal
from mektup.cli.import_progress import summary as result_summary
from mektup.cli.language import told
from mektup.cli.opened_store import with_store
from mektup.cli.options import data_and_limits
from mektup.migration.imap.endpoint import Endpoint, endpoint_of
from mektup.migration.imap.errors import ServerProblem
from mektup.migration.imap.login import Credentials, Mechanism
from mektup.migration.imap.moving import Move, Moved, Mover
from mektup.migration.imap.source import Wishes
from mektup.migration.imap.users import User, UsersFileError, users_of
from mektup.migration.importing import Plan
from mektup.store.interface import Store
from mektup.store.spool import Spool
from mektup.terms.limits import Limits
from mektup.terms.texts import ABOUT, NOT_UTF8, Text

MOST_JOBS = 50

MECHANISMS = {each.value.lower(): each for each in Mechanism}


@dataclass(frozen=True, slots=True)
class ImapOptions:
    """The options that are only for another server."""

    mailboxes: Sequence[str] = field(default_factory=list)
    skip: Sequence[str] = field(default_factory=list)
    password_file: Path | None = None
    token_file: Path | None = None
    master: str | None = None
    login: str | None = None
    ca_file: Path | None = None
    insecure: bool = False
    sharing: bool = True

    @property
    def mechanism(self) -> Mechanism | None:
        """The mechanism that ``--login`` names. Complains about an unknown one."""
        if self.login is None:
            return None
        if (found := MECHANISMS.get(self.login.lower())) is None:
            names = ", ".join(each.value for each in Mechanism)
            raise complain(texts.NO_SUCH_LOGIN.of(name=self.login, names=names), WRONG_USAGE)
        return found

    def credentials(self, user: str) -> Credentials:
        """How *user* logs in; asks for the password if no file has it or a token."""
        mechanism = self.mechanism
        if self.token_file is not None:
            return Credentials(user, token=_first_line(self.token_file), master=self.master, mechanism=mechanism)
        name = user if self.master is None else self.master
        password = _first_line(self.password_file) if self.password_file is not None else _asked(name)
        return Credentials(user, password=password, master=self.master, mechanism=mechanism)


def import_user(
    account: str, url: str, options: ImapOptions, plan: Plan, data: Path | None, config_file: Path | None
) -> None:
    """Imports the mail of one user, whom the *url* names; without a name there, the user is called as *account*."""
    with complaints():
        endpoint, limits = _endpoint(url), data_and_limits(data, config_file)[1]
        move = _move(endpoint, options.credentials(endpoint.user or account), options, plan)
    ended: list[bool] = []

    async def run(store: Store) -> None:
        with shown_on_terminal() as shown:
            _warn(options, shown)
            entry = await store.directory.find(account)
            if entry is None:
                raise complain(texts.NO_ACCOUNT.of(name=account))
            moved = await _mover(store, limits, shown).move(move, await store.account(entry), shown)
            shown.finish()
            for text in summary(moved, dry_run=plan.dry_run):
                typer.echo(told(text))
            if moved.ended is not None:
                shown.say(texts.COMPLAINT.of(problem=texts.GOES_ON.of(problem=moved.ended)))
            ended.append(moved.ended is not None or moved.result.problems > 0)

    with_store(data, config_file, run)
    if any(ended):
        raise typer.Exit(1)


def import_users(
    file: Path, url: str, options: ImapOptions, plan: Plan, jobs: int, data: Path | None, config_file: Path | None
) -> None:
    """Imports the mail of all users of the table *file*, *jobs* at a time; one that fails does not stop the others."""
    if not 1 <= jobs <= MOST_JOBS:
        raise complain(texts.WRONG_JOBS.of(most=MOST_JOBS), WRONG_USAGE)
    with complaints():
        endpoint, limits = _endpoint(url), data_and_limits(data, config_file)[1]
        if endpoint.user:
            raise complain(texts.USER_IN_URL_AND_TABLE, WRONG_USAGE)
        password = _first_line(options.password_file) if options.password_file is not None else None
        try:
            users = users_of(file.read_bytes(), options.mechanism, password, options.master)
        except UsersFileError as error:
            raise complain(ABOUT.of(place=file, problem=error.text)) from error
    moves = [(user, _move(endpoint, user.credentials, options, plan, users)) for user in users]
    failed: list[str] = []

    async def run(store: Store) -> None:
        with shown_on_terminal() as shown:
            _warn(options, shown)
            shown.begin(len(users))
            slots = asyncio.Semaphore(jobs)

            async def one(user: User, move: Move) -> None:
                async with slots:
                    if not await _moved(store, user, move, limits, shown):
                        failed.append(user.account)
                    shown.advance(1)

            async with asyncio.TaskGroup() as group:
                for user, move in moves:
                    group.create_task(one(user, move))
            shown.finish()

    with_store(data, config_file, run)
    typer.echo(told(texts.USERS_IMPORTED.of(count=len(users) - len(failed))))
    if failed:
        raise complain(texts.USERS_FAILED.of(count=len(failed), names=", ".join(sorted(failed))))


async def _moved(store: Store, user: User, move: Move, limits: Limits, shown: Shown) -> bool:
    """Moves one of many users, and says what was done in one line. Returns whether nothing went wrong."""
    entry = await store.directory.find(user.account)
    if entry is None:
        shown.complain_of(user.account, texts.NO_ACCOUNT.of(name=user.account))
        return False
    within = Within(shown, user.account)
    moved = await _mover(store, limits, within).move(move, await store.account(entry), within)
    for text in summary(moved, dry_run=move.plan.dry_run):
        shown.say(ABOUT.of(place=user.account, problem=text))
    if moved.ended is not None:
        shown.complain_of(user.account, moved.ended)
    return moved.ended is None and not moved.result.problems


def summary(moved: Moved, *, dry_run: bool) -> Iterator[Text]:
    """What was done, a line for each kind of result."""
    yield from result_summary(moved.result, dry_run=dry_run)
    if moved.shared:
        yield texts.RIGHTS_TAKEN.of(count=moved.shared)
    if moved.quota:
        yield texts.QUOTA_TAKEN


def _warn(options: ImapOptions, shown: Shown) -> None:
    if options.insecure:
        shown.say(texts.COMPLAINT.of(problem=texts.INSECURE_IS_ON))


def _endpoint(url: str) -> Endpoint:
    try:
        return endpoint_of(url)
    except ServerProblem as error:
        raise complain(error.text, WRONG_USAGE) from error


def _move(
    endpoint: Endpoint, credentials: Credentials, options: ImapOptions, plan: Plan, users: Sequence[User] = ()
) -> Move:
    return Move(
        endpoint.address(options.ca_file, insecure=options.insecure),
        credentials,
        plan,
        Wishes(options.mailboxes, options.skip),
        {user.credentials.user: user.account for user in users},
        options.sharing,
    )


def _mover(store: Store, limits: Limits, shown: Shown | Within) -> Mover:
    return Mover(store, limits, shown.tell, shown.note, lambda: Spool(limit=limits.message_bytes))


def _first_line(file: Path) -> str:
    """The first line of a file with a password or a token; ``-`` is standard input. Raises OSError."""
    octets = sys.stdin.readline().encode("utf-8", "surrogateescape") if str(file) == "-" else file.read_bytes()
    try:
        lines = octets.decode().splitlines()
    except UnicodeDecodeError as error:
        raise complain(ABOUT.of(place=file, problem=NOT_UTF8.of(octet=error.start + 1))) from None
    if not lines or not lines[0]:
        raise complain(texts.NOTHING_IN_FILE.of(file=file))
    return lines[0]


def _asked(name: str) -> str:
    with warnings.catch_warnings():
        # without a terminal the password cannot be hidden
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(typer.prompt(told(texts.PASSWORD_THERE.of(name=name)), hide_input=True))
        except getpass.GetPassWarning:
            raise complain(texts.NO_TERMINAL_FOR_IMPORT) from None
