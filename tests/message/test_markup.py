"""HTML gets to its patterns in pieces, and reads the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message import markup
from mektup.message.markup import readable_text

WORDS = st.sampled_from(
    [
        *("=", " ", '"', "'", "a", "&", ";", "/", "-->", "<!--", "<!-->", "&amp;", "&#65;", "\n", "<p>", "</p>"),
        *("<pre class=x>", "<b>", "</b>", "<a href='x>y'>", "<a title = z>", '<img alt="=>">', "<title>", "</title>"),
        *("<style>", "</style>", "<header>", "<script x=y>", "</scripting>", "</script >", "data:", "< "),
    ]
)
"""Tags are whole: what is left of broken ones may depend on where a piece ends."""


@given(words=st.lists(WORDS, max_size=30), at_once=st.integers(1, 9))
def test_the_size_of_pieces_does_not_change_the_text(words: list[str], at_once: int) -> None:
    text = "".join(words)
    whole = readable_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_PIECE_CHARACTERS", at_once)
        assert readable_text(text) == whole


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ('<img src="data:;base64,%s">', "before after"),
        ("<div title='>%s'>", "before \nafter"),
        ("<p x=\"%s'>", "before \nafter"),
        ("<p x=%s", "before <p x=%s after"),
    ],
)
def test_a_tag_may_be_larger_than_a_piece(tag: str, shown: str) -> None:
    large = "x" * (2 * markup._PIECE_CHARACTERS)
    text = readable_text(f"before {tag.replace('%s', large)}{' ' if '>' not in tag else ''}after")
    assert text.split("\n>")[0] == shown.replace("%s", large)
