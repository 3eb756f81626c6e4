"""NAMESPACE (RFC 9051 §6.3.10): a personal namespace without a prefix, and one of other users.

INBOX is in the first, as RFC 9051 §5.1.2 and RFC 2342 §2 ask. The second has what other users share.
"""

from __future__ import annotations

from gettext import NullTranslations
from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.access import PREFIX
from mektup.terms.names import DELIMITER
from mektup.terms.texts import say
from mektup.wire.mailbox_names import to_modified_utf7
from mektup.wire.requests import Namespace
from mektup.wire.strings import quoted

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


_DELIMITER = DELIMITER.encode()


async def run(session: Conversation, request: Namespace) -> None:
    """Tells where the account's mailboxes are."""
    session.write(line(session.translation))


def line(translation: NullTranslations) -> bytes:
    """The NAMESPACE response.

    In another language than English it has the prefix as people should see it, in modified UTF-7, even for clients that
    use UTF-8 (RFC 5255 §3.4).
    """
    shown = say(texts.OTHER_USERS, translation) + DELIMITER
    more = b"" if shown == PREFIX else b' "TRANSLATION" (%b)' % quoted(to_modified_utf7(shown))
    return b'* NAMESPACE (("" "%b")) (("%b" "%b"%b)) NIL\r\n' % (_DELIMITER, PREFIX.encode(), _DELIMITER, more)
