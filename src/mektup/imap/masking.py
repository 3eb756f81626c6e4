"""What may be shown of a client's commands, for ``session.tap``. LOGIN and AUTHENTICATE carry passwords."""

from __future__ import annotations

from mektup.auth.sasl import KNOWN_MECHANISMS
from mektup.session.tap import CONTENT_BYTES, MASK, Answers, Tap
from mektup.store.spool import Spool
from mektup.terms.errors import ClientError, Refused
from mektup.terms.limits import Limits
from mektup.wire import commands
from mektup.wire.commands import COMMANDS, SECRET_COMMANDS
from mektup.wire.grammar import COMMAND
from mektup.wire.receiver import LiteralOffered, RawCommand
from mektup.wire.requests import Login, StoredLiteral


def tell_command(tap: Tap, command: RawCommand, limits: Limits) -> None:
    """Tells *tap* of a complete command, or of its last part if it has literals, which were told before."""
    _tell(tap, command, b"", limits)


def tell_offer(tap: Tap, offer: LiteralOffered, limits: Limits) -> None:
    """Tells *tap* of a command up to a literal that the client announces."""
    binary, waits = b"~" if offer.binary else b"", b"" if offer.synchronizing else b"+"
    _tell(tap, offer.command, b"%b{%d%b}" % (binary, offer.size, waits), limits)


def tell_line(tap: Tap, line: bytes, command: str) -> None:
    """Tells *tap* of a line that is no command, but belongs to *command*."""
    if command == "IDLE" and line.upper() == b"DONE":
        tap.rest(line)
    else:
        tap.rest(MASK)


def _tell(tap: Tap, command: RawCommand, announcement: bytes, limits: Limits) -> None:
    first, last = command.fragments[0], command.fragments[-1]
    found = COMMAND.match(first)
    word = b"" if found is None else b" ".join(found[2].upper().split())
    if found is None or word not in COMMANDS or first[found.end() : found.end() + 1] not in (b"", b" "):
        tap.hidden(len(last) + len(announcement))
    elif len(command.fragments) > 1:
        literal = command.literals[-1]
        tap.content(_size(literal), _beginning(literal) if tap.wants_content and word not in SECRET_COMMANDS else None)
        if last or announcement:
            tap.rest((MASK if word in SECRET_COMMANDS else last) + announcement)
    elif word == b"LOGIN":
        tap.command(b"%b LOGIN %b" % (found[1], _name_of(command, limits)) + announcement)
    elif word == b"AUTHENTICATE":
        shown = b"%b AUTHENTICATE %b" % (found[1], _mechanism_of(first[found.end() :]))
        tap.command(shown + announcement, Answers.CHALLENGES)
    else:
        tap.command(first + announcement)


def _name_of(command: RawCommand, limits: Limits) -> bytes:
    """The arguments of LOGIN, with the name only if the command is well-formed: else it may be a part of a password."""
    try:
        request = commands.parse(command, utf8=False, limits=limits)
    except (ClientError, Refused):
        return MASK
    assert isinstance(request, Login)
    return b"%b %b" % (request.user, MASK)


def _mechanism_of(arguments: bytes) -> bytes:
    """The arguments of AUTHENTICATE."""
    words = arguments.split()
    mechanism = words[0] if words and words[0].upper() in KNOWN_MECHANISMS else MASK
    return mechanism if len(words) < 2 else b"%b %b" % (mechanism, MASK)


def _size(literal: bytes | StoredLiteral) -> int:
    return len(literal) if isinstance(literal, bytes) else literal.size


def _beginning(literal: bytes | StoredLiteral) -> bytes | None:
    if isinstance(literal, bytes):
        return literal[:CONTENT_BYTES]
    if not isinstance(literal, Spool) or literal.too_big:
        return None
    try:
        return literal.octets()[:CONTENT_BYTES]
    except Refused:
        return None  # the command itself reports it
