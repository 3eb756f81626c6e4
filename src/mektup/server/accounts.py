"""Changes to accounts and mail from outside a session: by an embedding program, or by a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from structlog.typing import FilteringBoundLogger

from mektup.auth import passwords, scram_keys
from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.auth.preparation import opaque_string
from mektup.auth.scram_keys import ScramKind
from mektup.delivery.deliver import Reception, checked_flags
from mektup.delivery.recipients import destination_named
from mektup.server.embedded import Message, date_of, flags_of, octets_of, text_of
from mektup.session.delivery_log import DeliveryLog
from mektup.session.services import Tally
from mektup.store.interface import AccountEntry, Incoming, Store
from mektup.terms.account_names import require_account_name
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import Uid
from mektup.terms.texts import PASSWORD_NOT_ALLOWED

PIECE_BYTES = 1024 * 1024


async def set_password(
    store: Store, name: str, password: str, rules: LoginRules = DEFAULT_LOGIN_RULES, *, passing: bool = False
) -> AccountEntry:
    """Adds account *name*, or changes the password of an existing one. Raises Refused(CANNOT).

    *passing* is for a store in memory: the password is not hashed, because that protects nothing and slows each test.
    """
    text_of(name, "the name of a user")
    text_of(password, "a password")
    make = partial(_passing_secrets if passing else passwords.secrets_for, kinds=rules.scram_kinds)
    if await store.directory.find(name) is None:
        require_account_name(name)
        return await store.directory.add(name, await asyncio.to_thread(make, password))
    secrets = await asyncio.to_thread(make, password)
    return await store.directory.set_secrets(name, secrets)


def _passing_secrets(password: str, kinds: Iterable[ScramKind]) -> dict[str, str]:
    prepared = opaque_string(password.encode("utf-8", "surrogatepass"))
    if prepared is None:
        raise Refused(Code.CANNOT, PASSWORD_NOT_ALLOWED)
    keys = {kind.mechanism: scram_keys.make(prepared, kind) for kind in kinds}
    return {passwords.PASSWORD: f"{{PLAIN}}{prepared}"} | keys


async def deliver(
    store: Store,
    limits: Limits,
    user: str,
    message: Message,
    *,
    mailbox: str = INBOX,
    flags: Iterable[str] = (),
    internaldate: datetime | None = None,
    tally: Tally,
    log: FilteringBoundLogger | None = None,
) -> Uid:
    """Puts *message* into a mailbox of *user*, durably, counts and logs it, and returns its UID.

    Open sessions see it at once.

    A bare LF becomes CRLF; nothing else changes. *internaldate* is local time if it has no zone; None means now. All
    arguments are checked before anything is stored.
    Raises Refused(NONEXISTENT, TOOBIG, OVERQUOTA; CANNOT for a flag), OSError for a file that cannot be read, and
    TypeError and ValueError as ``embedded`` does.
    """
    text_of(user, "the name of a user")
    text_of(mailbox, "the name of a mailbox")
    words = checked_flags(flags_of(flags), limits)
    date, zone = date_of(internaldate)
    began = time.monotonic()
    try:
        to = await destination_named(user, mailbox, store)
        octets = await asyncio.to_thread(octets_of, message)
        with Reception(limits) as reception:
            for start in range(0, len(octets), PIECE_BYTES):
                reception.write(octets[start : start + PIECE_BYTES])
            arrival = await reception.arrival()
            appended = await to.account.append(to.mailbox, [Incoming(arrival, words, date, zone)])
    except Refused as refusal:
        DeliveryLog(log).refused(refusal, user=user)
        raise
    uid = appended.uids.first
    tally.stored(arrival.size)
    seconds = time.monotonic() - began
    message_log = DeliveryLog(log, message_id=arrival.message_id, octets=arrival.size)
    message_log.delivered(user=user, mailbox=to.name, uid=uid, seconds=seconds)
    return uid
