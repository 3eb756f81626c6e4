"""Base subjects (RFC 5256 §2.1)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.subject import base_subject


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("", "", False),
        ("dinner", "dinner", False),
        ("  dinner \t at   eight ", "dinner at eight", False),
        ("Re: dinner", "dinner", True),
        ("RE : dinner", "dinner", True),
        ("re:re: fw: FWD: dinner", "dinner", True),
        ("Re[2]: dinner", "dinner", True),
        ("Re [2] : dinner", "dinner", True),
        ("[list] dinner", "dinner", False),
        ("[list] Re: [other] dinner", "dinner", True),
        ("Re: [list] Re: dinner", "dinner", True),
        ("[a][b] [c] dinner", "dinner", False),
        ("[list]", "[list]", False),
        ("[a] [b]", "[b]", False),
        ("Re: [list]", "[list]", True),
        ("dinner (fwd)", "dinner", True),
        ("dinner (fwd) (FWD)  ", "dinner", True),
        ("(fwd)", "", True),
        ("[fwd: dinner]", "dinner", True),
        ("[Fwd: Re: [list] dinner (fwd)]", "dinner", True),
        ("[fwd: [fwd: dinner]]", "dinner", True),
        ("Re: [fwd: dinner]", "dinner", True),
        ("[fwd: dinner] at eight", "at eight", False),  # "[fwd: dinner]" is a subj-blob here
        ("[fwd: dinner", "[fwd: dinner", False),
        ("Re:", "", True),
        ("Re: ", "", True),
        ("Regarding dinner", "Regarding dinner", False),
        ("dinner: re", "dinner: re", False),
        ("Ynt: akşam", "Ynt: akşam", False),
        ("[unclosed dinner", "[unclosed dinner", False),
        ("[a[b]] dinner", "[a[b]] dinner", False),
        ("Re\n\t: dinner", "dinner", True),
    ],
)
def test_base_subject(subject: str, base: str, is_reply: bool) -> None:
    assert base_subject(subject) == (base, is_reply)


def as_the_rfc_says_it(subject: str) -> str:
    """The procedure of RFC 5256 §2.1, step by step and slowly."""
    blob = r"\[[^\[\]]*\] *"
    text = re.sub(r"[ \t]+", " ", subject)
    while True:
        while match := re.search(r"(?:\(fwd\)| )\Z", text, re.IGNORECASE):
            text = text[: match.start()]
        before = None
        while before != text:
            before = text
            text = re.sub(rf"\A(?: |(?:{blob})*(?:re|fwd?) *(?:{blob})?:)", "", text, flags=re.IGNORECASE)
            if (match := re.match(blob, text)) and text[match.end() :].strip(" "):
                text = text[match.end() :]
        if not (text.lower().startswith("[fwd:") and text.endswith("]")):
            return text
        text = text[5:-1]


@given(
    st.lists(
        st.sampled_from(["re", "fw", "d", ":", " ", "[", "]", "[fwd:", "(fwd)", "a", "[b]", "\t", "Re: "]), max_size=14
    ).map("".join)
)
def test_base_subject_equals_the_procedure_of_the_rfc(subject: str) -> None:
    assert base_subject(subject)[0] == as_the_rfc_says_it(subject)
