"""Google Takeout's mbox: one file with all mail, and the labels of each message in X-Gmail-Labels.

A message goes to one mailbox, the first that its labels name in this order: Trash, Junk, Drafts, Sent, INBOX, a label
of the user's own, else Archive. Its other own labels become keywords. Unread, Opened, Starred and Important are flags.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mektup.message.headers import decode_words, unfold
from mektup.terms.flags import KEYWORD
from mektup.terms.names import INBOX
from mektup.wire.mailbox_names import to_modified_utf7

_WORDS: Final = {
    INBOX: "inbox, posteingang, boîte de réception, recibidos, posta in arrivo, caixa de entrada, postvak in, "
    "gelen kutusu, gelen",
    "Sent": "sent, gesendet, messages envoyés, enviados, inviati, posta inviata, verzonden, gönderilmiş postalar, "
    "gönderilmiş",
    "Drafts": "draft, drafts, entwurf, entwürfe, brouillon, brouillons, borrador, borradores, bozze, rascunhos, "
    "concepten, taslak, taslaklar",
    "Trash": "trash, bin, papierkorb, corbeille, papelera, cestino, lixeira, prullenbak, çöp kutusu, çöp",
    "Junk": "spam",
    "Archive": "archived, archiviert, archivé, archivés, archivado, archivados, archiviati, arquivado, gearchiveerd, "
    "arşivlenmiş, arşivlendi",
    "\\Seen": "opened, geöffnet, ouvert, abierto, abiertos, aperti, aberto, geopend, açılmış, açıldı",
    "unseen": "unread, ungelesen, non lus, no leído, no leídos, da leggere, não lidas, ongelezen, okunmamış",
    "\\Flagged": "starred, markiert, suivis, destacado, destacados, speciali, com estrela, met ster, yıldızlı",
    "$Important": "important, wichtig, importants, importante, importantes, belangrijk, önemli",
    "chat": "chat, chats",
}
"""What the labels of Gmail itself mean, in the languages of its accounts."""

_MEANINGS: Final = {word: meaning for meaning, words in _WORDS.items() for word in words.split(", ")}

ORDER: Final = ("Trash", "Junk", "Drafts", "Sent", INBOX)

SPECIAL_USES: Final = {
    "Trash": "\\Trash",
    "Junk": "\\Junk",
    "Drafts": "\\Drafts",
    "Sent": "\\Sent",
    "Archive": "\\Archive",
}

_CATEGORIES: Final = ("category ", "kategorie ", "catégorie ", "categoría ", "categoria ", "categorie ", "kategori ")
_NOT_IN_KEYWORD: Final = re.compile(r'[\x00-\x20\x7f(){%*"\\\]]+')


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the labels of a message mean."""

    levels: tuple[str, ...]
    """The name of the mailbox, level by level."""
    flags: frozenset[str]


def labels_in(value: bytes) -> Sequence[str]:
    """The labels of a field: separated by commas, in double quotes where they contain one; encoded words decoded."""
    text = decode_words(unfold(value))
    return [each.strip().strip('"').replace('""', '"') for each in re.findall(r'\s*("(?:[^"]|"")*"|[^,]+)', text)]


def meaning_of(value: bytes) -> Labelled:
    """Where a message with these labels goes, and its flags."""
    own: list[str] = []
    meanings: set[str] = set()
    for label in labels_in(value):
        meaning = _MEANINGS.get(label.lower())
        if meaning is not None:
            meanings.add(meaning)
        elif label and not label.lower().startswith(_CATEGORIES):
            own.append(label)
    flags = {each for each in meanings if each.startswith(("\\", "$"))}
    if "unseen" in meanings:
        flags.discard("\\Seen")
    else:
        flags.add("\\Seen")
    if "Drafts" in meanings:
        flags.add("\\Draft")
    place = next((each for each in ORDER if each in meanings), None)
    levels = tuple(own.pop(0).split("/")) if place is None and own else (place or "Archive",)
    return Labelled(levels, frozenset(flags | {keyword for each in own if (keyword := keyword_of(each))}))


def keyword_of(label: str) -> str:
    """A keyword for *label*, in the letters that one may have; empty where none is left."""
    keyword = _NOT_IN_KEYWORD.sub("_", to_modified_utf7(label).decode("ascii")).strip("_")
    return keyword if KEYWORD.fullmatch(keyword) else ""
