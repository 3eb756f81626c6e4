"""Starts both servers, filled with the same mail."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import dovecot
from bench.dovecot import Dovecot
from bench.fill import MektupFilling, Plan, fill_dovecot, fill_mektup
from bench.mail import generate
from bench.mektup import Mektup
from bench.rows.registry import CROWD, CROWD_MESSAGES, FOLDERS, PASSWORD, READER, WRITER, Bench, Server
from mektup.server.self_signed import pair_under

LIMITS = "[limits]\nconnections_per_account = 2000\nconnections_per_address_before_login = 1000\n"

KEPT = 1000
"""How many messages are kept in memory for the rows."""


def filled(stack: ExitStack, folder: Path, messages: int, more_accounts: Sequence[str] = ()) -> list[Bench]:
    """Both servers, filled and stopped, mektup first. Each ends with *stack*. Prints a line if there is no Dovecot."""
    plan = _plan(messages, more_accounts)
    mektup = Mektup(folder / "mektup", workers=1, settings=LIMITS)
    say(f"filling {mektup.name} {mektup.version} with {messages:,} messages")
    filling = MektupFilling(mektup.data, plan)
    servers: list[Server] = [mektup]
    if reason := dovecot.missing():
        say(f"no Dovecot beside it: {reason}")
    else:
        pair = pair_under(mektup.data / "tls", "mektup")
        users = dict.fromkeys(plan, PASSWORD)
        beside = Dovecot(folder / "dovecot", users, certificate=pair.cert, key=pair.key)
        say(f"filling {beside.name} {beside.version}")
        try:
            fill_dovecot(beside, plan)
            servers.append(beside)
        except OSError as error:
            say(f"no Dovecot beside it: {error}")
    octets = filling.wait()[0]
    return _benches(stack, servers, messages, octets)


def filled_beside_before(
    stack: ExitStack, folder: Path, messages: int, checkout: Path, more_accounts: Sequence[str] = ()
) -> list[Bench]:
    """This mektup and the one of *checkout*, filled and stopped, this one first. Each ends with *stack*."""
    servers = [
        Mektup(folder / "mektup", workers=1, settings=LIMITS),
        Mektup(folder / "before", workers=1, settings=LIMITS, checkout=checkout),
    ]
    octets = 0
    for server in servers:
        say(f"filling {server.name} {server.version} with {messages:,} messages")
        octets = fill_mektup(server, _plan(messages, more_accounts))
    return _benches(stack, servers, messages, octets)


def _plan(messages: int, more_accounts: Sequence[str]) -> Plan:
    plan = {READER: messages, WRITER: 0, FOLDERS: 0} | dict.fromkeys(CROWD, CROWD_MESSAGES)
    return plan | dict.fromkeys(more_accounts, 0)


def _benches(stack: ExitStack, servers: Sequence[Server], messages: int, octets: int) -> list[Bench]:
    mail = list(generate(min(messages, KEPT)))
    benches = [Bench(server, mail, messages, octets) for server in servers]
    for bench in benches:
        stack.callback(bench.server.stop)
        stack.callback(bench.hang_up)
    return benches


def raise_descriptor_limit() -> None:
    """Raises the limit of open files to the hard limit, for the clients here and for the servers, which inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(text: str) -> None:
    """Prints progress to standard error."""
    print(text, file=sys.stderr, flush=True)
