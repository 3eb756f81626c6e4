"""Fills the servers before the measurement, each through its fastest public interface.

mektup is filled through the interface of its store while the server does not run. A separate process does that, so that
the measuring process stays small. Dovecot is filled by MULTIAPPEND (RFC 3502), with fsync off meanwhile. If two
checkouts of mektup are compared, both are filled by MULTIAPPEND, because their stores may have different interfaces.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from itertools import islice
from pathlib import Path

from bench.client import ImapClient
from bench.dovecot import Dovecot
from bench.mail import Mail, generate
from bench.mektup import Mektup
from bench.rows.registry import PASSWORD, Server
from mektup.auth import passwords
from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming
from mektup.store.sqlite import open_store

Plan = Mapping[str, int]
"""By account: the number of messages in its INBOX, the first ones of ``mail.generate``."""

AT_ONCE = 500


class MektupFilling:
    """Fills a data directory of mektup in another process. No server may run on it meanwhile."""

    def __init__(self, data: Path, plan: Plan, *, compression: int | None = None) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._octets = spawning.Array("Q", len(plan))
        self._process = spawning.Process(target=_fill_mektup, args=(data, plan, compression, self._octets))
        self._process.start()

    def wait(self) -> Sequence[int]:
        """Waits for the process; returns the octets of each account's mail. Raises OSError if it failed."""
        self._process.join()
        if self._process.exitcode:
            raise OSError(f"mektup could not be filled: status {self._process.exitcode}")
        return [int(octets) for octets in self._octets.get_obj()]


def _fill_mektup(data: Path, plan: Plan, compression: int | None, octets: MutableSequence[int]) -> None:
    asyncio.run(_fill_accounts(data, plan, compression, octets))


async def _fill_accounts(data: Path, plan: Plan, compression: int | None, octets: MutableSequence[int]) -> None:
    store = await open_store(data, compression=compression)
    try:
        secrets = passwords.secrets_for(PASSWORD)
        for number, (name, count) in enumerate(plan.items()):
            entry = await store.directory.add(name, secrets)
            if count:
                octets[number] = await _fill_inbox(await store.account(entry), count)
    finally:
        await store.close()


async def _fill_inbox(account: Account, count: int) -> int:
    """Fills the INBOX; returns the octets of its mail."""
    octets = 0
    inbox = await account.mailbox("INBOX")
    for batch in batches(generate(count)):
        await account.append(
            inbox.id,
            [Incoming(prepare(mail.raw), frozenset(mail.flags), mail.internaldate) for mail in batch],
        )
        octets += sum(len(mail.raw) for mail in batch)
    return octets


def fill_dovecot(server: Dovecot, plan: Plan) -> None:
    """Fills a Dovecot that does not run, and stops it again."""
    settings, server.settings = server.settings, f"{server.settings}\nmail_fsync = never"
    server.start()
    try:
        _fill_by_imap(server, plan)
    finally:
        server.stop()
        server.settings = settings


def fill_mektup(server: Mektup, plan: Plan) -> int:
    """Fills a stopped mektup of any version, and stops it again. Returns the octets of the first account."""
    server.add_users(plan, PASSWORD)
    server.start()
    try:
        return _fill_by_imap(server, plan)
    finally:
        server.stop()


def _fill_by_imap(server: Server, plan: Plan) -> int:
    octets = []
    for name, count in plan.items():
        octets.append(0)
        if count:
            client = ImapClient(("127.0.0.1", server.ports["imap"]), name, PASSWORD)
            for batch in batches(generate(count)):
                client.run(b"APPEND INBOX " + b" ".join([mail.arguments for mail in batch]))
                octets[-1] += sum(len(mail.raw) for mail in batch)
            client.run(b"LOGOUT")
            client.close()
    return octets[0]


def batches(mail: Iterator[Mail]) -> Iterator[Sequence[Mail]]:
    """Splits *mail* into batches of AT_ONCE messages."""
    while batch := list(islice(mail, AT_ONCE)):
        yield batch
