"""HTML as its reader sees it: the text that it shows, and its titles, image texts and links.

This is no HTML parser, because mail needs none: a few patterns, each linear for any input. A pattern holds Python's
lock while it works, so it gets a long text in pieces.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_HIDING = re.compile(r"<(style|script|head|title)\b|<!(--)", re.ASCII | re.IGNORECASE)
_SHOWING = {name: re.compile(rf"</{name}\b", re.ASCII | re.IGNORECASE) for name in ("style", "script", "head", "title")}
_NAME_CHARACTERS = 10
"""More than ``</script`` and the character after it: the longest match of these patterns and of _HIDING."""
# A quoted value after "=" may contain ">", but never "<", so that no pattern looks beyond the next "<". The group in
# the lookahead matches as a whole or not at all; there is no backtracking into it.
_TO_ITS_END = r"""[^<>=]*(?:=(?=(\s*"[^"<]*"|\s*'[^'<]*'|))\1[^<>=]*)*>"""
_BLOCK_NAME = r"</?(?:p|div|br|tr|td|th|table|h[1-6]|li|ul|ol|dl|dt|dd|hr|pre|blockquote|body|html)\b"
_BLOCK_TAG = re.compile(_BLOCK_NAME + _TO_ITS_END, re.ASCII | re.IGNORECASE)
_BLOCK = re.compile(_BLOCK_NAME, re.ASCII | re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?]" + _TO_ITS_END)
_TAG_BEGINS = re.compile(r"<[a-zA-Z/!?]")
_QUOTE = re.compile(r"""\s*(["'])""")
# These begin with a fixed character, so that the search is a memchr.
_READ_ATTRIBUTE = re.compile(
    r"""=(?:(?<=[\s"'/]alt=)|(?<=[\s"'/]href=)|(?<=[\s"'/]title=))\s*(?:"([^"<]*)"|'([^'<]*)'|([^\s"'<>]+))""",
    re.ASCII | re.IGNORECASE,
)
_SPACE_BEFORE_EQUALS = re.compile(r"(?<!\s)\s+=", re.ASCII)
_SPACED_EQUALS = re.compile(r"=(?<=\s=)", re.ASCII)
_TITLE = re.compile(r"<title\b[^<>]*>([^<]+)", re.ASCII | re.IGNORECASE)
_DATA = re.compile(r"\s*data:", re.ASCII | re.IGNORECASE)

_PIECE_CHARACTERS = 16 * 1024
"""How much text a pattern gets at a time."""

_VALUE_CHARACTERS = 64 * 1024
"""The most characters of a title, and of a tag whose attributes are read."""

_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
"""No character has such a number, and Python refuses to parse a long one."""


def shown_text(markup: str) -> str:
    """The text that HTML shows, roughly: no tags, styles or scripts, and a new line at each block. Always linear."""
    return "".join([_without_tags(piece) for piece in _cut(_shown(markup), "<")])


_TAG_OR_COMMENT = re.compile(
    r"<(?:(!--)|[!?][^<>]*>|(/?)([a-zA-Z][a-zA-Z0-9]*)" + _TO_ITS_END.replace(r"\1", r"\4") + ")"
)
_BLOCKS = frozenset(
    "p div br tr td th table h1 h2 h3 h4 h5 h6 li ul ol dl dt dd hr pre blockquote body html section article".split()
)
_EMPTY = frozenset("area base br col embed hr img input link meta param source track wbr".split())
"""Elements without an end."""
_HIDDEN = re.compile(
    r"""[\s"';](?:display\s*:\s*none|visibility\s*:\s*hidden|max-height\s*:\s*0|opacity\s*:\s*0(?![.0-9]))|\shidden[\s>=]""",
    re.ASCII | re.IGNORECASE,
)
_QUOTES = re.compile(r"""[\s"'](?:gmail_quote|gmail_attr|moz-cite-prefix|yahoo_quoted)\b""", re.ASCII)

_DEPTH = 200
"""How many elements may be open in each other; what is deeper counts as shown."""


def opening_text(markup: str, most: int) -> str:
    """The first text that a reader of HTML sees, about *most* characters, in lines; ">" begins a line that it quotes.

    What is hidden (the first line that only lists of messages show) is the result where there is no other text.
    """
    shown: list[str] = []
    hidden: list[str] = []
    left = most
    for text, is_quoted, is_hidden in _pieces_shown(markup):
        if is_hidden:
            hidden.append(text[:most])
        else:
            shown.append(text.replace("\n", "\n>") if is_quoted else text)
            left -= 0 if is_quoted else len(text.strip())
        if left < 0 or len(hidden) > most:
            break
    found = "".join(shown)
    return found if found.strip("> \r\n\t\xa0") else "".join(hidden)


def _pieces_shown(markup: str) -> Iterator[tuple[str, bool, bool]]:
    """Texts in their order, with whether they are quoted, and whether they are hidden. Each block begins a line."""
    names: list[str] = []
    """Of the open elements."""
    around: list[tuple[bool, bool]] = []
    """Whether text around each of them is quoted, and hidden."""
    is_quoted = is_hidden = False
    position = 0
    while position < len(markup):
        tag = _TAG_OR_COMMENT.search(markup, position)
        if tag is None:
            yield _line_of(markup[position:]), is_quoted, is_hidden
            return
        if tag.start() > position:
            yield _line_of(markup[position : tag.start()]), is_quoted, is_hidden
        position = tag.end()
        name = "--" if tag[1] else (tag[3] or "").lower()
        if tag[1] or (name in _SHOWING and not tag[2]):
            position = _shown_again(name, markup, position)
            if position < 0:
                return
        elif tag[2]:
            while name in names:
                is_quoted, is_hidden = around.pop()
                if names.pop() == name:
                    break
        elif name and name not in _EMPTY and len(names) < _DEPTH and not tag[0].endswith("/>"):
            names.append(name)
            around.append((is_quoted, is_hidden))
            is_quoted = is_quoted or name == "blockquote" or _QUOTES.search(tag[0]) is not None
            is_hidden = is_hidden or _HIDDEN.search(tag[0]) is not None
        if name in _BLOCKS:
            yield "\n", is_quoted, is_hidden


def _line_of(text: str) -> str:
    """The characters of *text* between two tags, where a line break is a space."""
    return _characters(text[:_PIECE_CHARACTERS]).replace("\r", " ").replace("\n", " ")


def readable_text(markup: str) -> str:
    """``shown_text``, and after it, one a line: titles, the texts of images, and the targets of links."""
    values: dict[str, None] = {}
    for piece in _cut(markup, "<"):
        for title in _TITLE.findall(piece):
            values[" ".join(_characters(title[:_VALUE_CHARACTERS]).split())] = None
    texts: list[str] = []
    for piece in _cut(_shown(markup), "<"):
        texts.append(_without_tags(piece))
        for value in _read_attributes(piece[:_VALUE_CHARACTERS]):
            values[value] = None
    return "\n".join(["".join(texts), *values]) if values else "".join(texts)


def _read_attributes(markup: str) -> Iterator[str]:
    if _SPACED_EQUALS.search(markup):
        markup = _SPACE_BEFORE_EQUALS.sub("=", markup)
    for quoted, single, bare in _READ_ATTRIBUTE.findall(markup):
        value = quoted or single or bare
        if value and not _DATA.match(value):  # the octets of an image are no text
            yield " ".join(_characters(value).split())


def _cut(text: str, mark: str) -> Iterator[str]:
    """*text* in pieces that begin with *mark*. A piece is short, or has no other *mark*."""
    start = 0
    while start < len(text):
        stop = start + _PIECE_CHARACTERS
        if stop < len(text):
            last = text.rfind(mark, start + 1, stop)
            stop = last if last >= 0 else text.find(mark, stop)
        yield text[start : stop if stop >= 0 else None]
        start = stop if stop >= 0 else len(text)


def _without_tags(markup: str) -> str:
    """The text of a piece from ``_cut``."""
    if len(markup) <= _PIECE_CHARACTERS:
        return _characters(_TAG.sub("", _BLOCK_TAG.sub("\n", markup)))
    end = _end_of_tag(markup)
    return ("\n" if end and _BLOCK.match(markup) else "") + _characters(markup[end:])


def _end_of_tag(markup: str) -> int:
    """Where the tag at the start of *markup* ends, as in ``_TAG``; 0 where there is none. It has no other "<"."""
    at, end = 2, markup.find(">", 2)
    unpaired = ""
    if _TAG_BEGINS.match(markup) is None:
        return 0
    while end >= 0:
        equals = markup.find("=", at, end)
        if equals < 0:
            return end + 1
        at = equals + 1
        quote = _QUOTE.match(markup, at)
        if quote is not None and quote[1] not in unpaired:
            closing = markup.find(quote[1], quote.end())
            if closing < 0:
                unpaired += quote[1]
            else:
                at = closing + 1
        if at > end:
            end = markup.find(">", at)
    return 0


def _characters(text: str) -> str:
    """*text* with its character references replaced."""
    return "".join(map(_unescaped, _cut(text, "&"))) if "&" in text else text


def _unescaped(text: str) -> str:
    return html.unescape(_LONG_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text))


def _shown(markup: str) -> str:
    """*markup* without the elements that do not show. One without an end hides nothing; it is searched for once."""
    kept: list[str] = []
    endless: set[str] = set()
    position = 0
    for hiding in _found(_HIDING, markup, 0):
        name = (hiding[1] or hiding[2]).lower()
        if hiding.start() < position or name in endless:
            continue
        showing = _shown_again(name, markup, hiding.end())
        if showing < 0:
            endless.add(name)
            continue
        kept.append(markup[position : hiding.start()])
        position = showing
    kept.append(markup[position:])
    return "".join(kept)


def _shown_again(name: str, markup: str, at: int) -> int:
    """Where the element *name*, whose first tag ends at *at*, hides nothing more; -1 for nowhere."""
    if name == "--":
        end = markup.find("-->", at - 2)  # "<!-->" is a whole comment
        return end + 3 if end >= 0 else -1
    found = next(_found(_SHOWING[name], markup, at), None)
    return -1 if found is None else found.start()


def _found(pattern: re.Pattern[str], markup: str, at: int) -> Iterator[re.Match[str]]:
    """The matches of *pattern*, which are shorter than _NAME_CHARACTERS, from *at* on."""
    while at < len(markup):
        stop = at + _PIECE_CHARACTERS
        for match in pattern.finditer(markup, at, stop + _NAME_CHARACTERS):
            if match.start() < stop:
                yield match
        at = stop
