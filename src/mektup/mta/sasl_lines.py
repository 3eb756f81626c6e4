"""The grammar of Dovecot's authentication protocol, version 1.2, from the client's side: one line is one command.

A line is a word and its parameters, separated by tabs. A parameter is ``name=value`` or a name alone; a client may send
names that the server does not know. Within a value, an octet 0x01 and a letter stand for a character that would end the
value. The page https://doc.dovecot.org/2.3/developer_manual/design/auth_protocol/ describes it; there is no RFC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mektup.mta import texts
from mektup.terms.errors import ClientError

MAJOR, MINOR = 1, 2
"""The version of the protocol. Programs with another minor version understand each other."""

HIGHEST_NUMBER = 2**32 - 1

_NUMBER = re.compile(rb"[0-9]{1,10}")
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}")
_ESCAPED = re.compile(rb"\x01(.?)", re.DOTALL)
_ESCAPES: Mapping[bytes, bytes] = {b"0": b"\0", b"1": b"\x01", b"t": b"\t", b"r": b"\r", b"n": b"\n", b"l": b"\n"}
_SPECIALS = re.compile(r"[\0\x01\t\r\n]")
_LETTERS: Mapping[str, str] = {"\0": "0", "\x01": "1", "\t": "t", "\r": "r", "\n": "n"}
_RESPONSE = b"resp="


@dataclass(frozen=True, slots=True)
class Version:
    """VERSION: the first line."""

    major: int


@dataclass(frozen=True, slots=True)
class Cpid:
    """CPID: the number of the client's process; the last line of the handshake."""

    pid: int


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH: begins a login."""

    number: int
    mechanism: str
    """In upper case."""
    parameters: Mapping[str, str]
    """Without ``resp``. A parameter without a value has an empty one."""
    initial: bytes | None = field(repr=False)
    """The initial response in base64; None if there is none."""


@dataclass(frozen=True, slots=True)
class Cont:
    """CONT: the answer to a challenge."""

    number: int
    response: bytes = field(repr=False)
    """In base64."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """CANCEL: the client has lost interest in a login."""

    number: int


Command = Version | Cpid | Auth | Cont | Cancel


def parse(line: bytes) -> Command:
    """Parses *line*, which comes without its end. Raises ClientError."""
    word, *parameters = line.split(b"\t")
    match word, parameters:
        case b"VERSION", [major, *_]:
            return Version(_number(major))
        case b"CPID", [pid, *_]:
            return Cpid(_number(pid))
        case b"AUTH", [number, mechanism, *_]:
            return _auth(_number(number), mechanism, line)
        case b"CONT", [number, *_]:
            return Cont(_number(number), line.split(b"\t", 2)[2] if len(parameters) > 1 else b"")
        case b"CANCEL", [number, *_]:
            return Cancel(_number(number))
    raise ClientError(texts.NO_SUCH_COMMAND)


def _auth(number: int, mechanism: bytes, line: bytes) -> Auth:
    if not _MECHANISM.fullmatch(mechanism):
        raise ClientError(texts.MECHANISM_EXPECTED)
    # the response is the last parameter, so all that follows belongs to it
    before, found, initial = b"\t".join(line.split(b"\t")[2:]).partition(b"\t" + _RESPONSE)
    parameters: dict[str, str] = {}
    for parameter in before.split(b"\t")[1:]:
        name, _, value = parameter.partition(b"=")
        parameters[_text(name)] = _text(value)
    return Auth(number, mechanism.decode("ascii").upper(), parameters, initial if found else None)


def _number(text: bytes) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > HIGHEST_NUMBER:
        raise ClientError(texts.NUMBER_EXPECTED)
    return int(text)


def _text(value: bytes) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value).decode("utf-8", "backslashreplace")


def escaped(text: str) -> str:
    """*text* as a value of a parameter."""
    return _SPECIALS.sub(lambda found: "\x01" + _LETTERS[found[0]], text)
