"""The languages of mektup: catalogs of GNU gettext, made by ``make texts``.

``mektup.pot`` has the English sentences; ``<language>/LC_MESSAGES/mektup.po`` has their translations for editing, and
``mektup.mo`` the same for programs.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from functools import lru_cache
from gettext import NullTranslations, find, translation
from pathlib import Path

from mektup.terms.texts import ENGLISH

DOMAIN = "mektup"
DIRECTORY = Path(__file__).parent

LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first one that is set names the locale of messages. ``LANGUAGE`` may list several languages, best first."""

_NO_LOCALE = frozenset({"C", "POSIX"})
_ENGLISH = _NO_LOCALE | {"en"}


def languages() -> tuple[str, ...]:
    """The languages that have a catalog that can be read; English needs none."""
    found = sorted(path.parts[-3] for path in DIRECTORY.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return tuple(language for language in found if translation_to(language) is not None)


@lru_cache(maxsize=64)
def translation_to(language: str) -> NullTranslations | None:
    """The translation to a language such as ``tr``, ``tr_TR`` or ``tr_TR.UTF-8``; None if there is no catalog.

    A catalog that is cut short or damaged counts as none: English is understood, and a traceback is not.
    """
    if find(DOMAIN, DIRECTORY, [language]) is None:
        return None
    try:
        return translation(DOMAIN, DIRECTORY, [language])
    except (OSError, ValueError, struct.error):
        return None


def translation_of(environment: Mapping[str, str] = os.environ) -> NullTranslations:
    """The translation to the first known language of the *environment*; English if it names none."""
    locale = next((environment[name] for name in LOCALE_VARIABLES if environment.get(name)), "C")
    wanted = [locale]
    if _name(locale) not in _NO_LOCALE:
        # GNU gettext: LANGUAGE comes before the locale, but has no effect in the locale C
        wanted = [*environment.get("LANGUAGE", "").split(":"), locale]
    for language in wanted:
        if _name(language) in _ENGLISH:
            break
        if (found := translation_to(language)) is not None:
            return found
    return ENGLISH


def _name(language: str) -> str:
    """``en`` of ``en_GB.UTF-8``."""
    return language.partition(".")[0].partition("_")[0]
