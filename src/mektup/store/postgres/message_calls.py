"""The parameters of the statements that write messages, see ``tables.message_writes``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zstandard

from mektup.store.arrival import Arrival
from mektup.store.interface import Incoming
from mektup.store.objects import Placed
from mektup.store.retention import ROW_BYTES
from mektup.store.rules import threads
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.state_blocks import FactRow
from mektup.store.state_changes import Put
from mektup.terms.limits import KIB, Limits
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids

Parameters = dict[str, Any]

INLINE_BYTES: Final = 64 * KIB
"""Messages up to this size are compressed."""

KEPT_OBJECT_SECONDS: Final = 14 * 24 * 3600
"""How long an object that no content names stays: longer than any backup that may be restored."""

HEADER_IS_PACKED: Final = 1
REST_IS_PACKED: Final = 2

_REPLACED: Final = str.maketrans({"\0": "\ufffd"})


def storable(text: str) -> str:
    """*text* without what PostgreSQL keeps in no text: NUL and lone surrogates become U+FFFD."""
    if "\0" in text:
        text = text.translate(_REPLACED)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in text)
    return text


@dataclass(frozen=True, slots=True)
class Packing:
    """Compresses the octets of messages."""

    level: int | None
    """Of zstandard; None: nothing is compressed."""

    def packed(self, octets: bytes) -> tuple[bytes, bool]:
        """*octets* as they are stored, and whether they are compressed."""
        if self.level is not None and 0 < len(octets) <= INLINE_BYTES:
            smaller = zstandard.ZstdCompressor(self.level).compress(octets)
            if len(smaller) < len(octets):
                return smaller, True
        return octets, False


def unpacked(octets: bytes, most: int) -> bytes:
    """The octets, at most *most*, that ``Packing`` compressed."""
    return zstandard.ZstdDecompressor().decompress(octets, max_output_size=most)


def begin(
    account: str,
    moment: int,
    *,
    modseqs: int = 1,
    contents: int = 0,
    expunged: int = 0,
    octets: int = 0,
    messages: int = 0,
    retained: int = 0,
    past_from: int = 0,
    default: str = "{}",
) -> Parameters:
    """What the whole call takes and changes in the account's row; *default* are the quota's default limits, in JSON."""
    return {
        "account": account,
        "moment": moment,
        "modseqs": modseqs,
        "new_contents": contents,
        "new_expunged": expunged,
        "octets": octets,
        "messages": messages,
        "retained": retained,
        "past_from": past_from,
        "default": default,
    }


def limits_of(limits: Limits) -> Parameters:
    """The limits of a mailbox's keywords."""
    return {"most_names": limits.keywords_per_mailbox, "most_octets": limits.keyword_bytes}


def grow(words: Sequence[int], size: int, names: Sequence[str]) -> Parameters:
    """How a mailbox grows by messages with these flag words, and the keywords among them."""
    return {
        "grown": len(words),
        "grown_unseen": sum([not word & SEEN for word in words]),
        "grown_deleted": sum([bool(word & DELETED) for word in words]),
        "grown_size": size,
        "grown_names": list(names),
    }


def check(checked: dict[int, ModSeq], uidnext: int | None) -> Parameters:
    """The blocks that must be as they were read; *uidnext*: none may have arrived since."""
    return {"checked": list(checked), "checked_on": list(checked.values()), "uidnext": uidnext}


def rewrite(put: Put, names: Sequence[str]) -> Parameters:
    """The blocks to write anew; *names* are the keywords that the mailbox uses from now on."""
    return {
        "takes": not put.is_only_fold,
        "blocks": put.blocks,
        "block_modseqs": put.modseqs,
        "block_unseen": put.unseen,
        "flags": put.flags,
        "fact_blocks": put.fact_blocks,
        "facts": put.facts,
        "folded": put.folded,
        "firsts": [first for first, _ in put.expunged],
        "lasts": [last for _, last in put.expunged],
        "d_messages": put.messages,
        "d_unseen": put.unseen_messages,
        "d_deleted": put.deleted,
        "d_size": put.size,
        "names": list(names),
    }


def remove(rows: Sequence[tuple[int, FactRow]], *, keeps: bool, moved: bool, not_before: int) -> Parameters:
    """What becomes of removed messages, given as flag words and facts."""
    return {
        "keeps": keeps,
        "moved": moved,
        "gone_uids": [facts.uid for _, facts in rows],
        "gone_words": [word for word, _ in rows],
        "gone_contents": [facts.content for _, facts in rows],
        "gone_sizes": [facts.size for _, facts in rows],
        "gone_dates": [facts.arrived for _, facts in rows],
        "gone_zones": [facts.zone for _, facts in rows],
        "gone_saved": [facts.saved for _, facts in rows],
        "not_before": not_before,
    }


def weight(rows: Sequence[tuple[int, FactRow]], *, moved: bool) -> int:
    """What removed messages add to the weight of all that is kept."""
    return len(rows) * ROW_BYTES + (0 if moved else sum([facts.size for _, facts in rows]))


def history(told: Iterable[tuple[int, Uids, int]], left: Iterable[int]) -> Parameters:
    """The history of flags: relative modseqs, messages, how the words differ; the sets of keywords that were left."""
    rows = [(modseq, first, last, flipped) for modseq, uids, flipped in told if flipped for first, last in uids.runs]
    return {
        "past_modseqs": [row[0] for row in rows],
        "past_firsts": [row[1] for row in rows],
        "past_lasts": [row[2] for row in rows],
        "past_flipped": [row[3] for row in rows],
        "past_left": sorted(left),
    }


def copies(rows: Sequence[tuple[int, FactRow]]) -> Parameters:
    """The messages that are copied or moved, given as flag words and facts."""
    return {
        "words": [word for word, _ in rows],
        "contents": [facts.content for _, facts in rows],
        "sizes": [facts.size for _, facts in rows],
        "dates": [facts.arrived for _, facts in rows],
        "zones": [facts.zone for _, facts in rows],
    }


def add(
    messages: Sequence[Incoming], words: Sequence[int], packing: Packing, placed: Sequence[Placed | None]
) -> Parameters:
    """New messages with these flag words, and their contents; *placed*: the objects of large ones."""
    arrivals = [message.arrival for message in messages]
    keys = [threads.keys_of(each.message_id, each.references) for each in arrivals]
    alone = [threads.joined(some, {}, each.digest).thread for some, each in zip(keys, arrivals, strict=True)]
    stored = [_stored(each, packing, where) for each, where in zip(arrivals, placed, strict=True)]
    return {
        "words": list(words),
        "dates": [message.internaldate for message in messages],
        "zones": [message.zone for message in messages],
        "tokens": [uuid.uuid4() for _ in messages],
        "threads": alone,
        "keys": [key for some in keys for key in some],
        "owners": [number for number, some in enumerate(keys, 1) for _ in some],
        "sizes": [each.size for each in arrivals],
        "header_sizes": [each.header_size for each in arrivals],
        "digests": [each.digest for each in arrivals],
        "envelopes": [each.envelope for each in arrivals],
        "bodies": [each.body for each in arrivals],
        "structures": [each.bodystructure for each in arrivals],
        "layouts": [each.layout for each in arrivals],
        "packed": [packed for packed, _, _ in stored],
        "headers": [header for _, header, _ in stored],
        "bytes": [rest for _, _, rest in stored],
        "objects": [None if where is None else where.name for where in placed],
        **_texts(arrivals),
    }


def _texts(arrivals: Sequence[Arrival]) -> Parameters:
    return {
        "sent": [each.sent for each in arrivals],
        "sent_zones": [each.sent_zone for each in arrivals],
        "are_replies": [each.is_reply for each in arrivals],
        "subjects": [storable(each.subject) for each in arrivals],
        "from": [storable(each.from_) for each in arrivals],
        "to": [storable(each.to) for each in arrivals],
        "cc": [storable(each.cc) for each in arrivals],
        "bcc": [storable(each.bcc) for each in arrivals],
        "base_subjects": [storable(each.base_subject) for each in arrivals],
        "from_keys": [storable(each.from_key) for each in arrivals],
        "to_keys": [storable(each.to_key) for each in arrivals],
        "cc_keys": [storable(each.cc_key) for each in arrivals],
        "display_from": [storable(each.display_from) for each in arrivals],
        "display_to": [storable(each.display_to) for each in arrivals],
        "message_ids": [storable(each.message_id) for each in arrivals],
        "references": [storable(" ".join(each.references)) for each in arrivals],
        "previews": [storable(each.preview) for each in arrivals],
    }


def _stored(arrival: Arrival, packing: Packing, placed: Placed | None) -> tuple[int, bytes, bytes]:
    """How the octets are packed; the header; and the rest, or the sizes of the object's frames."""
    header, header_is_packed = packing.packed(bytes(arrival.raw[: arrival.header_size]))
    if placed is not None:
        return HEADER_IS_PACKED * header_is_packed, header, placed.frames
    rest, rest_is_packed = packing.packed(bytes(arrival.raw[arrival.header_size : arrival.size]))
    return HEADER_IS_PACKED * header_is_packed | REST_IS_PACKED * rest_is_packed, header, rest
