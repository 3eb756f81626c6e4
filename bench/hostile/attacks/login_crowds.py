"""Storms of logins, right and wrong: clients wait for their turn, and memory stays bounded."""

from __future__ import annotations

import asyncio
import re
import time

from bench.hostile.attack import ATTACKER, PASSWORD, Attack, Stage, Who
from bench.hostile.attacks.strangers import HASH_MB, PLAIN_MB, entered
from bench.hostile.crowd import Crowd, networks
from mektup import Server
from mektup.auth import passwords

USERS = 20
"""Users of a site whose server was just restarted: all log in at the same moment, none is remembered."""


def _count(crowd: Crowd, pattern: bytes) -> int:
    last = [member.seen for member in crowd.members.values()] + crowd.ended
    return sum([re.search(pattern, seen) is not None for seen in last])


def _add_users(stage: Stage) -> None:
    """Adds the users; they have the same secret, because to hash a password for each takes a minute."""
    secrets = passwords.secrets_for(PASSWORD)

    async def add() -> None:
        async with Server(stage.server.data, listen={}) as server:
            for number in range(USERS):
                await server.store.directory.add(f"user{number}", secrets)

    asyncio.run(add())


def _all_at_once(stage: Stage) -> str:
    """Each user logs in 50 times, from an own network; no password is known yet."""
    users = 3 if stage.is_short else USERS
    with stage.crowd(sources=networks(users)) as crowd:
        members = crowd.connect(50 * users)
        begun = time.monotonic()
        for number, member in enumerate(members):
            member.send(f'a LOGIN user{number % users} "{PASSWORD}"\r\n'.encode())
        crowd.heard(b"a OK", 20.0)
        done = _count(crowd, rb"a OK")
        return f"{done} of {len(members)} logins in {time.monotonic() - begun:.1f} s"


def _again_and_again(stage: Stage) -> str:
    """A right password, remembered, in thousands of connections one after the other."""
    seconds, done = (1.0 if stage.is_short else 8.0), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with stage.crowd() as crowd:
            crowd.connect(50)
            crowd.send(f'a LOGIN {ATTACKER} "{PASSWORD}"\r\nb LOGOUT\r\n'.encode())
            crowd.ended_by_server(5.0)
            done += _count(crowd, rb"b OK")
    return f"{done / seconds:.0f} logins a second"


def _wrong_from_everywhere(stage: Stage) -> str:
    """Wrong passwords from 100 networks, 40 connections each, that come again when they are thrown out."""
    count = 200 if stage.is_short else 4000
    seconds = 2.0 if stage.is_short else 12.0
    until, answered = time.monotonic() + seconds, 0
    with stage.crowd(sources=networks(count // 40)) as crowd:
        crowd.connect(count)
        crowd.send(b"".join(b"a LOGIN user%d wrong\r\n" % number for number in range(3)))
        crowd.read(seconds / 4)
        words = entered(stage)
        while time.monotonic() < until:
            crowd.read(0.5)
            fresh = crowd.connect(count - len(crowd.members))
            for member in fresh:
                member.send(b"a LOGIN somebody wrong\r\n" * 3)
        answered = _count(crowd, rb"a NO")
    return f"{answered} connections were answered; first login of {words}"


def _sasl(stage: Stage) -> str:
    """SCRAM begun on 4,000 connections, and never ended."""
    with stage.crowd(sources=networks(100)) as crowd:
        crowd.connect(200 if stage.is_short else 4000)
        crowd.send(b"a AUTHENTICATE SCRAM-SHA-256\r\n")
        crowd.heard(b"\r\n+", 5.0)
        crowd.send(b"biwsbj1tYWxsb3J5LHI9cm9wcm9wcm9w\r\n")
        crowd.read(2.0)
        return f"{crowd.came_to()}; {entered(stage)}"


ROWS = (
    Attack(
        key="logins-right",
        who=Who.USER,
        what="20 users log in 50 times each at the same moment, after a restart",
        before="",
        prepare=_add_users,
        run=_all_at_once,
        # a session of 30 KB for each, and 20 accounts whose files are open or remembered
        growth_mb=HASH_MB + 1000 * 0.05 + 20 * 0.3,
        is_crowd=True,
    ),
    Attack(
        key="logins-again",
        who=Who.USER,
        what="a right password on connections that come and go",
        before="",
        run=_again_and_again,
        growth_mb=HASH_MB,
        is_crowd=True,
    ),
    Attack(
        key="logins-wrong",
        who=Who.STRANGER,
        what="4,000 connections of 100 networks with wrong passwords",
        before="",
        run=_wrong_from_everywhere,
        growth_mb=HASH_MB + PLAIN_MB,
        is_crowd=True,
    ),
    Attack(
        key="sasl-begun",
        who=Who.STRANGER,
        what="4,000 exchanges of SCRAM that do not end",
        before="",
        run=_sasl,
        is_in_short=False,
        growth_mb=HASH_MB + PLAIN_MB,
        is_crowd=True,
    ),
)
