"""Mailbox specifiers, which NOTIFY and ESEARCH share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.mailbox_sources import NAMED, MailboxSource, SourceKind
from mektup.terms.names import fold_inbox
from mektup.wire.cursor import CommandCursor
from mektup.wire.mailbox_names import encode
from mektup.wire.mailbox_sources import ESEARCH_KINDS, NOTIFY_KINDS, mailbox_source


def read(text: str | bytes, kinds: frozenset[SourceKind] = ESEARCH_KINDS, *, utf8: bool = False) -> MailboxSource:
    octets = text.encode() if isinstance(text, str) else text
    cursor = CommandCursor((octets,), (), utf8=utf8, limits=DEFAULT_LIMITS)
    found = mailbox_source(cursor, kinds)
    assert cursor.at_end
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selected", MailboxSource(SourceKind.SELECTED)),
        ("Inboxes", MailboxSource(SourceKind.INBOXES)),
        ("PERSONAL", MailboxSource(SourceKind.PERSONAL)),
        ("subscribed", MailboxSource(SourceKind.SUBSCRIBED)),
        ("mailboxes inbox", MailboxSource(SourceKind.MAILBOXES, ("INBOX",))),
        ('mailboxes "a b"', MailboxSource(SourceKind.MAILBOXES, ("a b",))),
        ("subtree (folder1 &AOQ-)", MailboxSource(SourceKind.SUBTREE, ("folder1", "ä"))),
        ("subtree-one ( a  b a )", MailboxSource(SourceKind.SUBTREE_ONE, ("a", "b"))),
        # RFC 5465 §6.6: wildcards are letters like others
        ('mailboxes ("a*" "b%")', MailboxSource(SourceKind.MAILBOXES, ("a*", "b%"))),
    ],
)
def test_each_specifier(text: str, expected: MailboxSource) -> None:
    assert read(text) == expected


def test_the_selected_mailbox_told_late_is_for_notify_and_one_level_for_esearch() -> None:
    assert read("selected-delayed", NOTIFY_KINDS) == MailboxSource(SourceKind.SELECTED_DELAYED)
    for text, kinds in (("selected-delayed", ESEARCH_KINDS), ("subtree-one a", NOTIFY_KINDS)):
        with pytest.raises(ClientError, match="Expected one of INBOXES, MAILBOXES, PERSONAL, SELECTED"):
            read(text, kinds)


@pytest.mark.parametrize("text", ["", "INBOX", "mailboxes", "mailboxes ()", "mailboxes (a", "subtree("])
def test_what_is_no_specifier(text: str) -> None:
    with pytest.raises(ClientError):
        read(text)


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs")), max_size=20)


@given(
    st.sampled_from(sorted(NAMED, key=lambda kind: kind.value)), st.lists(NAMES, min_size=1, max_size=5), st.booleans()
)
def test_names_survive_in_both_forms(kind: SourceKind, names: list[str], utf8: bool) -> None:
    written = b" ".join(encode(name, utf8=utf8) for name in names)
    found = read(b"%b (%b)" % (kind.value.encode(), written), utf8=utf8)
    assert found == MailboxSource(kind, tuple(dict.fromkeys(map(fold_inbox, names))))
    assert (
        read(b"%b %b" % (kind.value.lower().encode(), encode(names[0], utf8=utf8)), utf8=utf8).names == found.names[:1]
    )
