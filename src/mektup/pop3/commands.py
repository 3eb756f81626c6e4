"""The grammar of POP3 (RFC 1939 §9, RFC 2449 §3): one line becomes one command, if the state allows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from mektup.pop3 import texts
from mektup.terms.errors import ClientError
from mektup.terms.texts import Text


class Pop3State(Enum):
    """RFC 1939 §3. UPDATE has no commands: it is what QUIT does."""

    AUTHORIZATION = auto()
    """Before login."""
    TRANSACTION = auto()
    """After login."""


@dataclass(frozen=True, slots=True)
class Command:
    """A valid command with its arguments, allowed in the state of the session."""

    verb: str
    """Upper case."""
    text: bytes = field(default=b"", repr=False)
    """USER and PASS: everything after the verb, in octets as sent. AUTH: the same without spaces at the ends."""
    numbers: tuple[int, ...] = ()
    """Other commands: a message number; for TOP, also a number of lines."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The states that a command is allowed in, and its arguments."""

    states: frozenset[Pop3State]
    usage: str
    """The syntax, shown to a client that makes a mistake."""
    arguments: Callable[[Rule, str, bytes], Command]


_NUMBER = re.compile(rb"[0-9]{1,10}")
_VERB = re.compile(rb"[A-Za-z0-9]{3,4}")


def parse(line: bytes, state: Pop3State) -> Command:
    """Parses *line*, which comes without CRLF. Raises ClientError, which says what was expected."""
    verb, _, text = line.partition(b" ")
    name = verb.upper().decode("ascii") if _VERB.fullmatch(verb) else ""
    rule = RULES.get(name)
    if rule is None:
        known = " ".join(name for name, rule in RULES.items() if state in rule.states)
        raise ClientError(_unknown(state, known))
    if state not in rule.states:
        raise ClientError(_not_possible(state, name))
    return rule.arguments(rule, name, text)


def _unknown(state: Pop3State, known: str) -> Text:
    if state is Pop3State.AUTHORIZATION:
        return texts.UNKNOWN_BEFORE_LOGIN.of(commands=known)
    return texts.UNKNOWN_AFTER_LOGIN.of(commands=known)


def _not_possible(state: Pop3State, command: str) -> Text:
    if state is Pop3State.AUTHORIZATION:
        return texts.NOT_BEFORE_LOGIN.of(command=command)
    return texts.NOT_AFTER_LOGIN.of(command=command)


def _nothing(rule: Rule, verb: str, text: bytes) -> Command:
    return _counted(rule, verb, text, 0, 0)


def _message(rule: Rule, verb: str, text: bytes) -> Command:
    return _counted(rule, verb, text, 1, 1)


def _message_or_all(rule: Rule, verb: str, text: bytes) -> Command:
    return _counted(rule, verb, text, 0, 1)


def _message_and_lines(rule: Rule, verb: str, text: bytes) -> Command:
    return _counted(rule, verb, text, 2, 2)


def _counted(rule: Rule, verb: str, text: bytes, least: int, most: int) -> Command:
    words = text.split()
    if not least <= len(words) <= most or not all(map(_NUMBER.fullmatch, words)):
        raise ClientError(texts.EXPECTED.of(usage=rule.usage))
    return Command(verb, numbers=tuple(map(int, words)))


def _text(rule: Rule, verb: str, text: bytes) -> Command:
    if not text:
        raise ClientError(texts.EXPECTED.of(usage=rule.usage))
    # RFC 1939 §7: a password may have spaces in it, and at its ends.
    return Command(verb, text)


def _text_or_nothing(rule: Rule, verb: str, text: bytes) -> Command:
    return Command(verb, text.strip())


_BEFORE = frozenset({Pop3State.AUTHORIZATION})
_AFTER = frozenset({Pop3State.TRANSACTION})
_BOTH = frozenset(Pop3State)

RULES: dict[str, Rule] = {
    "CAPA": Rule(_BOTH, "CAPA", _nothing),
    "USER": Rule(_BEFORE, "USER name", _text),
    "PASS": Rule(_BEFORE, "PASS password", _text),
    "AUTH": Rule(_BEFORE, "AUTH mechanism [initial-response]", _text_or_nothing),
    "STLS": Rule(_BEFORE, "STLS", _nothing),
    "UTF8": Rule(_BEFORE, "UTF8", _nothing),
    "STAT": Rule(_AFTER, "STAT", _nothing),
    "LIST": Rule(_AFTER, "LIST [message]", _message_or_all),
    "UIDL": Rule(_AFTER, "UIDL [message]", _message_or_all),
    "RETR": Rule(_AFTER, "RETR message", _message),
    "TOP": Rule(_AFTER, "TOP message lines", _message_and_lines),
    "DELE": Rule(_AFTER, "DELE message", _message),
    "RSET": Rule(_AFTER, "RSET", _nothing),
    "NOOP": Rule(_AFTER, "NOOP", _nothing),
    "QUIT": Rule(_BOTH, "QUIT", _nothing),
}
"""Every command, in the order in which a client meets them."""
