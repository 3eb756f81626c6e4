"""HTML as its reader sees it: the text that it shows, and its titles, image texts and links.

This is no HTML parser, because mail needs none: a few patterns, each linear for any input.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_HIDING = re.compile(r"<(style|script|head|title)\b|<!(--)", re.ASCII | re.IGNORECASE)
_SHOWING = {
    **{name: re.compile(rf"</{name}\b", re.ASCII | re.IGNORECASE) for name in ("style", "script", "head", "title")},
    "--": re.compile("(?<=-->)"),
}
# A quoted value after "=" may contain ">", but never "<", so that no pattern looks beyond the next "<". The group in
# the lookahead matches as a whole or not at all; there is no backtracking into it.
_TO_ITS_END = r"""[^<>=]*(?:=(?=(\s*"[^"<]*"|\s*'[^'<]*'|))\1[^<>=]*)*>"""
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|tr|td|th|table|h[1-6]|li|ul|ol|dl|dt|dd|hr|pre|blockquote|body|html)\b" + _TO_ITS_END,
    re.ASCII | re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!?]" + _TO_ITS_END)
# These begin with a fixed character, so that the search is a memchr.
_READ_ATTRIBUTE = re.compile(
    r"""=(?:(?<=[\s"'/]alt=)|(?<=[\s"'/]href=)|(?<=[\s"'/]title=))\s*(?:"([^"<]*)"|'([^'<]*)'|([^\s"'<>]+))""",
    re.ASCII | re.IGNORECASE,
)
_SPACE_BEFORE_EQUALS = re.compile(r"(?<!\s)\s+=", re.ASCII)
_SPACED_EQUALS = re.compile(r"=(?<=\s=)", re.ASCII)
_TITLE = re.compile(r"<title\b[^<>]*>([^<]+)", re.ASCII | re.IGNORECASE)
_DATA = re.compile(r"\s*data:", re.ASCII | re.IGNORECASE)
_MARKUP_CHARACTERS = 64 * 1024
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
"""No character has such a number, and Python refuses to parse a long one."""


def shown_text(markup: str) -> str:
    """The text that HTML shows, roughly: no tags, styles or scripts, and a new line at each block. Always linear."""
    return "".join([_without_tags(piece) for piece in _cut_between_tags(_shown(markup))])


def readable_text(markup: str) -> str:
    """``shown_text``, and after it, one a line: titles, the texts of images, and the targets of links."""
    pieces = list(_cut_between_tags(_shown(markup)))
    texts = [_without_tags(piece) for piece in pieces]
    values = [" ".join(_characters(title).split()) for title in _TITLE.findall(markup)]
    values += [value for piece in pieces for value in _read_attributes(piece)]
    return "\n".join(["".join(texts), *dict.fromkeys(values)]) if values else "".join(texts)


def _read_attributes(markup: str) -> Iterator[str]:
    if _SPACED_EQUALS.search(markup):
        markup = _SPACE_BEFORE_EQUALS.sub("=", markup)
    for quoted, single, bare in _READ_ATTRIBUTE.findall(markup):
        value = quoted or single or bare
        if value and not _DATA.match(value):  # the octets of an image are no text
            yield " ".join(_characters(value).split())


def _cut_between_tags(markup: str) -> Iterator[str]:
    """*markup* in pieces, so that a pattern holds Python's lock for only a few milliseconds. No tag contains "<"."""
    start = 0
    while start < len(markup):
        stop = markup.find("<", start + _MARKUP_CHARACTERS)
        yield markup[start : stop if stop >= 0 else None]
        start = stop if stop >= 0 else len(markup)


def _without_tags(markup: str) -> str:
    return _characters(_TAG.sub("", _BLOCK_TAG.sub("\n", markup)))


def _characters(text: str) -> str:
    """*text* with its character references replaced."""
    return html.unescape(_LONG_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text)) if "&" in text else text


def _shown(markup: str) -> str:
    """*markup* without the elements that do not show. One without an end hides nothing; it is searched for once."""
    kept: list[str] = []
    endless: set[str] = set()
    position = 0
    for hiding in _HIDING.finditer(markup):
        name = (hiding[1] or hiding[2]).lower()
        if hiding.start() < position or name in endless:
            continue
        showing = _SHOWING[name].search(markup, hiding.end())
        if showing is None:
            endless.add(name)
            continue
        kept.append(markup[position : hiding.start()])
        position = showing.start()
    kept.append(markup[position:])
    return "".join(kept)
