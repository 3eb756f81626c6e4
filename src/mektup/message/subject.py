"""The base subject of RFC 5256 §2.1, by which messages are sorted and threaded."""

from __future__ import annotations

import re

_WSP = re.compile(r"[ \t\r\n]+")
_REFWD = r"(?:re|fwd?)[ ]*(?:\[[^\[\]]*\][ ]*)?:"
_LEADER = re.compile(rf"[ ]+|(?:\[[^\[\]]*\][ ]*)*{_REFWD}", re.ASCII | re.IGNORECASE)
"""subj-leader = (*subj-blob subj-refwd) / WSP."""
_BLOBS = re.compile(r"(?:\[[^\[\]]*\][ ]*)+(?=[^ ])")
"""All subj-blobs that have text after them."""
_FORWARDED = re.compile(r"\[fwd:", re.ASCII | re.IGNORECASE)
_TRAILER = "(fwd)"


def base_subject(subject: str) -> tuple[str, bool]:
    """The base subject of a decoded subject, and whether it was a reply or a forward.

    RFC 5256 §2.1. A removed subj-refwd, "(fwd)" or "[fwd: ]" marks a reply or a forward (§3, REFERENCES).
    """
    text = _WSP.sub(" ", subject)
    start, stop = 0, len(text)
    is_reply = False
    while True:
        # (2): trailers
        while stop > start and (text[stop - 1] == " " or text[max(start, stop - 5) : stop].lower() == _TRAILER):
            is_reply |= text[stop - 1] != " "
            stop -= 1 if text[stop - 1] == " " else len(_TRAILER)
        # (3) to (5): leaders, and blobs before them
        while match := _LEADER.match(text, start, stop):
            is_reply |= match[0][-1] == ":"
            start = match.end()
        if blobs := _BLOBS.match(text, start, stop):
            start = blobs.end()  # no leader follows them, because leaders were removed already
        # (6): [fwd: ... ]
        forwarded = _FORWARDED.match(text, start, stop)
        if forwarded is None or text[stop - 1] != "]":
            return text[start:stop], is_reply
        start, stop = forwarded.end(), stop - 1
        is_reply = True
