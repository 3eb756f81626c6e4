"""The octets of large messages, in an object store that speaks S3, a directory, or memory (the last two for tests).

An object is written before the row that names it is committed, and its name is never used again: so a row never names
something that is not there, and nothing that is being deleted comes back. What nobody names is removed later
(``object_garbage``). The layout of an object is that of ``rules.frames``.

The object store may refuse, hang or lose an object. Each request has a deadline, is tried again a few times by the
library, and is then refused as UNAVAILABLE; nothing was changed by then. Where the object of a message is missing, the
answer is EXPUNGEISSUED, and the operator is told, because only a fault elsewhere can remove it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, MemoryStore, S3Store

from mektup.message.scan import Octets
from mektup.store import texts
from mektup.store.faults import Fault, Faults, Kind
from mektup.store.rules.frames import (
    FRAME_BYTES,
    Frame,
    frames_between,
    index_of,
    packed_frame,
    table_of,
    unpacked_frame,
)
from mektup.store.rules.packs import UnreadableError
from mektup.store.spool import Stretch
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import KIB, MIB
from mektup.terms.numbers import AccountId

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

WINDOW_BYTES: Final = 512 * KIB
"""The most octets of an object that one request reads, and that a slow reader holds in memory."""

ONE_PUT_BYTES: Final = 8 * MIB
"""A longer message is uploaded in parts, while it is compressed."""

PART_BYTES: Final = 5 * MIB
"""S3 has no smaller parts, except for the last one."""

PARTS_AT_ONCE: Final = 2

SMALL_BYTES: Final = 1 * MIB
SMALL_PUTS: Final = 32
LARGE_PUTS: Final = 4
GETS: Final = 64
"""How many messages of up to SMALL_BYTES, how many longer ones, and how many windows are in the air at a time.

Together they bound the memory: 2 * 32 * 1 MiB, 4 * 16 MiB and 64 * 0.5 MiB.
"""

SLOWEST: Final = 1 * MIB
"""Octets a second that an upload must reach, beside the deadline of a request."""

CONNECT_SECONDS: Final = 3.0
TRIES: Final = 3
"""How often the library asks again after an error of the server or of the network; each try gets a part of the time."""

LISTED_AT_ONCE: Final = 1000

MISSING: Final = (FileNotFoundError, NotFoundError)
"""The library raises one or the other, by its version."""

DEFAULT_LEVEL: Final = 3
"""zstandard's, where messages are not compressed elsewhere: frames always are."""


class Placed(NamedTuple):
    """An object that was written, for the row that names it."""

    name: str
    frames: bytes
    """The sizes of its frames, see ``rules.frames``."""


class Listed(NamedTuple):
    """An object as the object store lists it."""

    name: str
    modified: int
    """Seconds since 1970, by the object store's clock."""


@dataclass(frozen=True, slots=True)
class ObjectRules:
    """How objects are written and asked for."""

    level: int = DEFAULT_LEVEL
    """zstandard's level of compression."""
    seconds: float = 20.0
    """The longest wait for an answer."""


DEFAULT_OBJECT_RULES: Final = ObjectRules()


def open_objects(url: str, faults: Faults, rules: ObjectRules = DEFAULT_OBJECT_RULES) -> Objects:
    """The object store at *url*; asks it nothing yet.

    ``s3://bucket/prefix?endpoint=http://host:port&region=name``, of which only the bucket must be given, and the keys
    come from the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; ``file:///directory``; ``memory:``. Raises
    Refused(CANNOT) for anything else.
    """
    try:
        store = _store_at(url, rules.seconds)
    except (BaseError, ValueError) as error:
        raise Refused(Code.CANNOT, texts.NO_OBJECT_STORE.of(url=url, reason=_reason(error))) from error
    return Objects(store, url, faults, rules)


def _store_at(url: str, seconds: float) -> ObjectStore:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme == "file" and parts.path:
        return LocalStore(parts.path, mkdir=True, automatic_cleanup=False)
    if parts.scheme != "s3" or not parts.netloc or not options.keys() <= {"endpoint", "region"}:
        raise Refused(Code.CANNOT, texts.NO_OBJECT_STORE.of(url=url, reason=texts.OBJECT_STORES))
    config: S3Config = {"virtual_hosted_style_request": False}
    if endpoint := options.get("endpoint"):
        config["endpoint"] = endpoint
    if region := options.get("region"):
        config["region"] = region
    client: ClientConfig = {
        "allow_http": endpoint is not None and endpoint.startswith("http:"),
        "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, seconds / TRIES)),
        "timeout": timedelta(seconds=seconds / TRIES),
    }
    retries: RetryConfig = {
        "max_retries": TRIES,
        "retry_timeout": timedelta(seconds=seconds),
        "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
    }
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=config,
        client_options=client,
        retry_config=retries,
    )


class Objects:
    """The objects of all accounts. Use it only from the event loop's thread."""

    def __init__(self, store: ObjectStore, url: str, faults: Faults, rules: ObjectRules) -> None:
        self._store = store
        self._url = url
        self._faults = faults
        self._rules = rules
        self._small = asyncio.Semaphore(SMALL_PUTS)
        self._large = asyncio.Semaphore(LARGE_PUTS)
        self._gets = asyncio.Semaphore(GETS)

    async def put(self, shard: str, account: AccountId, octets: Octets | Stretch) -> Placed:
        """Writes a message as a new object; afterwards it is there, whatever happens to this machine.

        Whoever does not commit its name need not remove it. Raises FaultRefused(UNAVAILABLE).
        """
        name = f"{shard}/{account}/{token_hex(16)}"
        sizes: list[int] = []
        pieces = self._frames(octets, sizes)
        patience = self._rules.seconds + len(octets) / SLOWEST
        with self._told(name, patience):
            async with asyncio.timeout(patience), self._small if len(octets) <= SMALL_BYTES else self._large:
                if len(octets) <= ONE_PUT_BYTES:
                    whole = b"".join([piece async for piece in pieces])
                    await self._store.put_async(name, whole, use_multipart=False)
                else:
                    await self._store.put_async(
                        name, pieces, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
                    )
        return Placed(name, index_of(sizes))

    async def _frames(self, octets: Octets | Stretch, sizes: list[int]) -> AsyncIterator[bytes]:
        """The octets of the object, in pieces; the sizes of its frames go to *sizes*."""
        for start in range(0, len(octets), FRAME_BYTES):
            piece = bytes(octets[start : start + FRAME_BYTES])
            frame = await asyncio.to_thread(packed_frame, piece, self._rules.level)
            sizes.append(len(frame))
            yield frame
        yield table_of(sizes, len(octets))

    async def read(self, placed: Placed, size: int, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Octets *start* to *stop* (excluded) of the message of *size* octets that is in *placed*, frame by frame.

        One request for each WINDOW_BYTES of the object; most messages need one. Between two requests nothing is held
        of the object store, however slow the reader is. Raises FaultRefused(UNAVAILABLE; EXPUNGEISSUED where the object
        is missing; CORRUPTION).
        """
        with self._told(placed.name, self._rules.seconds):
            frames = frames_between(placed.frames, size, start, stop)
        for window in _windows(frames):
            octets = await self._window(placed.name, window)
            begin = window[0].start
            for frame in window:
                with self._told(placed.name, self._rules.seconds):
                    held = unpacked_frame(octets[frame.start - begin : frame.stop - begin])
                yield held[frame.first : frame.last]

    async def _window(self, name: str, window: Sequence[Frame]) -> memoryview:
        begin, end = window[0].start, window[-1].stop
        with self._told(name, self._rules.seconds):
            async with asyncio.timeout(self._rules.seconds), self._gets:
                octets = memoryview(await self._store.get_range_async(name, start=begin, end=end))
            if len(octets) != end - begin:
                raise UnreadableError(f"{len(octets)} octets instead of {end - begin}")
        return octets

    async def delete(self, names: Sequence[str]) -> None:
        """Removes objects; one that is gone already is as good. Raises FaultRefused(UNAVAILABLE)."""
        with self._told(self._url, self._rules.seconds):
            async with asyncio.timeout(self._rules.seconds):
                try:
                    await self._store.delete_async(names)
                except MISSING as error:
                    if not _is_missing(error):
                        raise
                    await self._delete_each(names)

    async def copy(self, name: str, new: str) -> None:
        """Makes the object *new* of the object *name*, within the object store. Raises as ``read``."""
        with self._told(name, self._rules.seconds):
            async with asyncio.timeout(self._rules.seconds):
                await self._store.copy_async(name, new)

    async def _delete_each(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                await self._store.delete_async(name)
            except MISSING as error:
                if not _is_missing(error):
                    raise

    async def listed(self, prefix: str) -> AsyncGenerator[Sequence[Listed], None]:
        """The objects whose names begin with the levels *prefix*, in slices. Raises FaultRefused(UNAVAILABLE)."""
        listing = self._store.list(prefix, chunk_size=LISTED_AT_ONCE)
        while True:
            with self._told(self._url, self._rules.seconds):
                async with asyncio.timeout(self._rules.seconds):
                    found = await anext(listing, None)
            if found is None:
                return
            yield [Listed(each["path"], _seconds(each["last_modified"])) for each in found]

    @contextmanager
    def _told(self, place: str, seconds: float) -> Iterator[None]:
        """Turns errors of the library into refusals, and tells the operator of them."""
        try:
            yield
        except TimeoutError as error:
            fault = Fault(Kind.OBJECTS, self._url, texts.NO_ANSWER.of(seconds=f"{seconds:g}"))
            raise self._refusal(fault) from error
        except UnreadableError as error:
            raise self._refusal(Fault(Kind.DAMAGED, place, _reason(error))) from error
        except MISSING as error:
            kind, what = (Kind.LOST, place) if _is_missing(error) else (Kind.OBJECTS, self._url)
            raise self._refusal(Fault(kind, what, _reason(error))) from error
        except (BaseError, OSError) as error:
            raise self._refusal(Fault(Kind.OBJECTS, self._url, _reason(error))) from error

    def _refusal(self, fault: Fault) -> Refused:
        self._faults.happened(fault)
        return fault.refusal()


def _windows(frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """*frames* in runs of at most WINDOW_BYTES of the object, but at least one frame."""
    first = 0
    for number, frame in enumerate(frames):
        if number > first and frame.stop - frames[first].start > WINDOW_BYTES:
            yield frames[first:number]
            first = number
    if frames:
        yield frames[first:]


def _is_missing(error: Exception) -> bool:
    """Whether the object is missing; false where the bucket is, or where something else says 404."""
    words = str(error)
    return "NoSuchKey" in words or "status code" not in words


def _reason(error: BaseException) -> str:
    """The first line of *error*; the library shows its own values in the others."""
    return str(error).split("\n", 1)[0]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
