"""Names of mailboxes from elsewhere: decoded, and changed where mektup does not accept them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from mektup.migration import texts
from mektup.migration.source import Tell
from mektup.terms.errors import ClientError
from mektup.terms.limits import Limits
from mektup.terms.names import DELIMITER, is_own, mailbox_key
from mektup.wire import mailbox_names

_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029/]")

SPECIAL_USES: Final = {
    "drafts": "\\Drafts",
    "sent": "\\Sent",
    "sent items": "\\Sent",
    "sent mail": "\\Sent",
    "sent messages": "\\Sent",
    "trash": "\\Trash",
    "bin": "\\Trash",
    "deleted items": "\\Trash",
    "deleted messages": "\\Trash",
    "junk": "\\Junk",
    "spam": "\\Junk",
    "junk e-mail": "\\Junk",
    "junk email": "\\Junk",
    "archive": "\\Archive",
    "archives": "\\Archive",
}
"""What mail programs call the mailboxes with a special use (RFC 6154), by name in lower case."""


_ESCAPED: Final = re.compile(rb"\\([2-7][0-9a-f])")


def decoded(octets: bytes) -> str | None:
    """A level of a name in modified UTF-7, or in UTF-8 as newer servers write it; None where it is neither.

    A backslash and two hexadecimal digits are a character that a name of a file cannot have: so our export writes it,
    and Dovecot with its plugin listescape.
    """
    unescaped = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), octets)
    try:
        return mailbox_names.decode(unescaped, utf8=False)
    except ClientError:
        return None


def usable(levels: Iterable[str], limits: Limits) -> str:
    """A name of these *levels* that mektup accepts: the same one, unless it has to be changed."""
    name = DELIMITER.join(_level(each) for each in levels) or "_"
    name = mailbox_key(name)
    if not is_own(name):
        first, delimiter, rest = name.partition(DELIMITER)
        name = f"{first} (imported){delimiter}{rest}"
    levels_left = name.split(DELIMITER)
    if len(levels_left) > limits.mailbox_depth:
        name = DELIMITER.join([*levels_left[: limits.mailbox_depth - 1], levels_left[-1]])
    return name.encode()[: limits.mailbox_name_bytes].decode(errors="ignore").rstrip(DELIMITER)


def _level(name: str) -> str:
    text = name.encode("utf-8", "replace").decode()  # a lone surrogate is no Unicode
    return unicodedata.normalize("NFC", _FORBIDDEN.sub("_", text)) or "_"


def from_octets(levels: Sequence[bytes], place: str, tell: Tell, limits: Limits) -> str:
    """The name of a mailbox of the *levels* in modified UTF-7; tells where it had to be changed."""
    texts_of_levels = [decoded(each) for each in levels]
    read = [
        each.decode("utf-8", "replace") if text is None else text
        for each, text in zip(levels, texts_of_levels, strict=True)
    ]
    name = usable(read, limits)
    if None in texts_of_levels:
        tell(place, texts.NAME_NOT_DECODED.of(name=name))
    elif name != mailbox_key(DELIMITER.join(read)):
        tell(place, texts.NAME_CHANGED.of(name=name))
    return name


def special_use(name: str) -> str | None:
    """The special use that a mailbox of that name mostly has."""
    return SPECIAL_USES.get(name.lower())
