"""The catalogs of gettext, made from the source with Babel: ``python -m tests.architecture.catalogs``, ``make texts``.

Every ``Text`` and ``counted`` in a ``texts.py`` becomes an entry of ``mektup.pot``. Each language's ``mektup.po`` gets
the new entries and loses the old ones; its translated entries become its ``mektup.mo``. The files have no dates and no
line numbers, so the same sentences give the same octets.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mektup"
LOCALE = SOURCE / "locale"
TEMPLATE = LOCALE / "mektup.pot"

KEYWORDS = {"Text": (1,), "counted": (1, 2)}
"""The functions that make a text, and which of their arguments are translated."""

COMMENT = "for translators:"
"""A comment in the source that begins so is copied into the catalogs."""

HEADER = """\
# Sentences of mektup, for GNU gettext.
# `make texts` writes this file. Edit only the lines that begin with msgstr."""

LEFT_OUT = frozenset(
    {
        "Project-Id-Version",
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    }
)
"""Lines of a header that would change without a changed sentence, or say nothing here."""


class Stable(Catalog):
    """A catalog without dates in its header."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The lines of the header."""
        return [(name, value) for name, value in super().mime_headers if name not in LEFT_OUT]


def extracted() -> Catalog:
    """The English sentences of the source, by file and in their order."""
    catalog = Stable(header_comment=HEADER, fuzzy=False)
    found = extract_from_dir(
        SOURCE,
        method_map=[("**/texts.py", "python")],
        keywords=KEYWORDS,
        comment_tags=(COMMENT,),
        strip_comment_tags=True,
    )
    for file, _, message, comments, context in sorted(found, key=lambda each: each[:2]):
        catalog.add(message, locations=[(f"src/mektup/{file}", None)], auto_comments=comments, context=context)
    return catalog


def languages() -> Mapping[str, Path]:
    """The ``.po`` of each language."""
    return {path.parts[-3]: path for path in sorted(LOCALE.glob("*/LC_MESSAGES/mektup.po"))}


def updated(language: str, path: Path) -> Catalog:
    """The catalog of *language*, with the entries of the source and the translations that *path* has for them."""
    with path.open("rb") as file:
        old = read_po(file, locale=language)
    old.update(extracted())
    catalog = Stable(locale=language, header_comment=HEADER, fuzzy=False)
    for message in old:
        if message.id:
            catalog[message.id] = message
    return catalog


def written(catalog: Catalog) -> bytes:
    """The text of a ``.po`` or ``.pot``."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, ignore_obsolete=True)
    return file.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """The octets of a ``.mo``; entries that are fuzzy or not translated are left out."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def unfinished(catalog: Catalog) -> list[Message]:
    """The entries that a translator must check."""
    return [message for message in catalog if message.id and (message.fuzzy or not all(_strings(message)))]


def _strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def main() -> int:
    """Writes all catalogs; returns 1 if a translation is missing."""
    TEMPLATE.write_bytes(written(extracted()))
    missing = 0
    for language, path in languages().items():
        catalog = updated(language, path)
        path.write_bytes(written(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        for message in unfinished(catalog):
            print(f"{path.relative_to(ROOT)}: {'fuzzy' if message.fuzzy else 'not translated'}: {message.id!r}")
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
