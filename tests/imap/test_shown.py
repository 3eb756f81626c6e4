"""What the log shows of a slow command: its kind, and nothing of the user's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.imap.shown import SHOWN_BYTES, shown

SHOWN = [
    (b"a UID FETCH 1:*,7 (UID FLAGS BODY.PEEK[HEADER.FIELDS (FROM X-Secret)]<0.100>)",
     "UID FETCH 1:*,7 (UID FLAGS BODY.PEEK[HEADER.FIELDS (FROM ?)]<0.100>)"),
    (b"a fetch 1 rfc822.size", "FETCH 1 RFC822.SIZE"),
    (b"a SEARCH CHARSET UTF-8 TEXT secret SUBJECT \"my \\\"secret\\\" (1)\" NOT SEEN",
     "SEARCH CHARSET UTF-8 TEXT ? SUBJECT ? NOT SEEN"),
    (b"a UID SEARCH TEXT 4929 1:100", "UID SEARCH TEXT ? ?"),
    (b"a SEARCH TEXT {12}", "SEARCH TEXT ?"),
    (b"a STORE 1:3 +FLAGS.SILENT (\\Seen $Secret)", "STORE 1:3 +FLAGS.SILENT (\\SEEN ?)"),
    (b'a SELECT "My Secrets"', "SELECT ?"),
    (b"a SELECT INBOX", "SELECT INBOX"),
    (b"a UID MOVE 12 Secret", "UID MOVE 12 ?"),
    (b"a LOGIN linda Pa$$123", "LOGIN"),
    (b'a login linda "all seen"', "LOGIN"),
    (b"a AUTHENTICATE PLAIN AGxpbmRhAFBhJCQxMjM=", "AUTHENTICATE"),
    (b'a SEARCH SUBJECT "unfinished', "SEARCH SUBJECT ?"),
    (b"a", ""),
    (b"", ""),
    (b"a \xc3\xbc\x00\r\n", "?"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), SHOWN)
def test_a_command_without_what_is_private(line: bytes, expected: str) -> None:
    assert shown(line) == expected


def test_a_long_line_is_cut() -> None:
    said = shown(b"a FETCH " + b"1," * 100_000 + b"1 FLAGS")
    assert len(said) <= SHOWN_BYTES + 3
    assert said.endswith("...")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=9, max_size=40))
def test_no_text_of_a_quoted_string_is_shown(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').encode()
    assert shown(b'a SEARCH SUBJECT "%b" SEEN' % quoted) == "SEARCH SUBJECT ? SEEN"
