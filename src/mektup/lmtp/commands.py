"""The grammar of LMTP (RFC 2033), which is SMTP's (RFC 5321 §4.1): one line becomes one frozen command."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from mektup.delivery.address import Address
from mektup.lmtp import texts
from mektup.terms.errors import ClientError
from mektup.terms.texts import Text

BAD_ARGUMENTS = "501 5.5.4"
BAD_SEQUENCE = "503 5.5.1"
NOT_IMPLEMENTED = "502 5.5.1"
BAD_PARAMETER = "555 5.5.4"
BAD_ADDRESS = "501 5.1.3"


@dataclass(eq=False)
class CommandError(ClientError):
    """A mistake with its own status; any other ClientError is answered with ``500 5.5.2``."""

    status: str = BAD_ARGUMENTS
    """Reply code and enhanced status code."""


@dataclass(frozen=True, slots=True)
class Lhlo:
    """RFC 2033 §4.1."""

    domain: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """RFC 5321 §4.1.1.2, with the parameters of RFC 1870, RFC 6152 and RFC 6531."""

    sender: Address | None
    """None for ``<>``."""
    size: int | None = None
    """The size in octets that the client announced."""
    utf8: bool = False
    """Whether the client asked for SMTPUTF8 (RFC 6531 §3.4)."""


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RFC 5321 §4.1.1.3."""

    recipient: Address


@dataclass(frozen=True, slots=True)
class Data:
    """RFC 5321 §4.1.1.4."""


@dataclass(frozen=True, slots=True)
class Rset:
    """RFC 5321 §4.1.1.5."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """RFC 5321 §4.1.1.6."""


@dataclass(frozen=True, slots=True)
class Help:
    """RFC 5321 §4.1.1.8."""


@dataclass(frozen=True, slots=True)
class Noop:
    """RFC 5321 §4.1.1.9."""


@dataclass(frozen=True, slots=True)
class Quit:
    """RFC 5321 §4.1.1.10."""


CACHED_BYTES = 200
"""The longest line that is cached, in octets: most mail has the same few senders and recipients."""

CACHED = 512
"""How many lines are cached."""

Command = Lhlo | Mail | Rcpt | Data | Rset | Vrfy | Help | Noop | Quit

# RFC 5321 §4.1.2, with liberties: a source route is ignored (RFC 5321 §3.3, §C, §F.2); a local part may be any
# atom-like text with dots anywhere; and UTF-8 is accepted with and without SMTPUTF8, because no message is relayed.
_PATH = re.compile(
    r"<(?:@(?:\[[^\[\]<>]*\]|[^:<>\[])*:)?"
    r'(?:"(?P<quoted>(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"|(?P<plain>[^\x00-\x20"<>@\x7f]+))'
    r"(?:@(?P<domain>[^\x00-\x20<>@\x7f]+))?>"
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_PARAMETER = re.compile(r"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[^\x00-\x20=\x7f]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")


def parse(line: bytes) -> Command:
    """Parses *line*, which comes without CRLF. Raises ClientError; a CommandError if the reply is not 500."""
    return (_cached if len(line) <= CACHED_BYTES else _parse)(line)


def _parse(line: bytes) -> Command:
    verb, _, argument = line.partition(b" ")
    word = verb.upper()
    rule = RULES.get(word)
    if rule is not None:
        return rule(argument.strip(b" "))
    if word in (b"HELO", b"EHLO"):
        # RFC 2033 §4.1: LHLO replaces these, and they must be refused with 500.
        raise ClientError(texts.LHLO_FOR_HELO)
    if word in _KNOWN_ELSEWHERE:
        raise CommandError(texts.NOT_OFFERED.of(command=word.decode()), status=NOT_IMPLEMENTED)
    raise ClientError(texts.UNKNOWN_COMMAND)


_cached = lru_cache(CACHED)(_parse)


def _lhlo(argument: bytes) -> Lhlo:
    if not argument:
        raise CommandError(texts.LHLO_EXPECTS)
    return Lhlo(argument)


def _mail(argument: bytes) -> Mail:
    path, parameters = _path_and_parameters("FROM", argument)
    size: int | None = None
    utf8 = False
    for keyword, value in parameters:
        match keyword, value:
            case "SIZE", str() if _SIZE.fullmatch(value):
                size = int(value)
            case "BODY", str() if value.isascii() and value.upper() in ("7BIT", "8BITMIME"):
                pass
            case "SMTPUTF8", None:
                utf8 = True
            case "SIZE" | "BODY" | "SMTPUTF8", _:
                raise CommandError(texts.MAIL_EXPECTS)
            case _:
                raise _unknown_parameter("MAIL", keyword)
    return Mail(None if path == "<>" else _address(path), size, utf8)


def _rcpt(argument: bytes) -> Rcpt:
    path, parameters = _path_and_parameters("TO", argument)
    if parameters:
        raise _unknown_parameter("RCPT", parameters[0][0])
    return Rcpt(_address(path))


def _path_and_parameters(word: str, argument: bytes) -> tuple[str, list[tuple[str, str | None]]]:
    try:
        text = argument.decode()
    except UnicodeDecodeError:
        raise CommandError(texts.ADDRESS_NOT_UTF8, status=BAD_ADDRESS) from None
    before, colon, rest = text.partition(":")
    if before.strip(" ").upper() != word or not colon:
        raise CommandError(_path_expected(word))
    # Some clients put a space before the path.
    rest = rest.lstrip(" ")
    found = _PATH.match(rest)
    if rest.startswith("<>"):
        end = 2
    elif found is not None:
        end = found.end()
    else:
        raise CommandError(_path_expected(word), status=BAD_ADDRESS)
    words = rest[end:].split(" ")
    if words[0]:
        raise CommandError(_path_expected(word), status=BAD_ADDRESS)
    return rest[:end], [_parameter(word) for word in words if word]


def _path_expected(word: str) -> Text:
    return texts.PATH_EXPECTED.of(command="MAIL" if word == "FROM" else "RCPT", word=word)


def _parameter(text: str) -> tuple[str, str | None]:
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise CommandError(texts.PARAMETER)
    return found["keyword"].upper(), found["value"]


def _address(path: str) -> Address:
    found = _PATH.fullmatch(path)
    if found is None:
        raise CommandError(texts.NOBODY, status=BAD_ADDRESS)
    quoted = found["quoted"]
    local = found["plain"] if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
    return Address(local, found["domain"] or "")


def _unknown_parameter(command: str, keyword: str) -> CommandError:
    return CommandError(texts.UNKNOWN_PARAMETER.of(command=command, parameter=keyword[:40]), status=BAD_PARAMETER)


def _alone(command: Command) -> Callable[[bytes], Command]:
    def rule(argument: bytes) -> Command:
        if argument:
            raise CommandError(texts.NO_ARGUMENTS.of(command=type(command).__name__.upper()))
        return command

    return rule


def _with_anything(command: Command) -> Callable[[bytes], Command]:
    return lambda argument: command


RULES: dict[bytes, Callable[[bytes], Command]] = {
    b"LHLO": _lhlo,
    b"MAIL": _mail,
    b"RCPT": _rcpt,
    b"DATA": _alone(Data()),
    b"RSET": _alone(Rset()),
    b"VRFY": _with_anything(Vrfy()),
    b"HELP": _with_anything(Help()),
    b"NOOP": _with_anything(Noop()),
    b"QUIT": _alone(Quit()),
}
"""Every command, by its verb in upper case."""

_KNOWN_ELSEWHERE = frozenset({b"EXPN", b"BDAT", b"STARTTLS", b"AUTH", b"TURN", b"ETRN"})
