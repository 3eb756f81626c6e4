"""Large messages in an object store: written first, read by ranges, refused in time, and told of when lost."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mektup.store import objects as module
from mektup.store.faults import Fault, FaultRefused, Kind
from mektup.store.objects import ObjectRules, Objects, Placed, open_objects
from mektup.store.rules.frames import FRAME_BYTES
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import MIB
from mektup.terms.numbers import AccountId
from tests.support.object_store import ObjectStore
from tests.support.proxies import Proxy, before, to_port

ACCOUNT = AccountId("5f0c2f3a9d3b4c8e8f5f7f6a1b2c3d4e")
IMPATIENT = ObjectRules(seconds=1.0)
LIKE_TEXT = random.Random(1).randbytes(100_000).hex().encode()


class Book:
    """Records faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        self.faults.append(fault)

    @property
    def kinds(self) -> list[Kind]:
        return [fault.kind for fault in self.faults]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture(params=["s3", "directory", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, book: Book) -> Objects:
    urls: dict[str, Callable[[], str]] = {
        "s3": lambda: request.getfixturevalue("object_store").url(request.getfixturevalue("prefix")),
        "directory": lambda: f"file://{tmp_path}/objects",
        "memory": lambda: "memory:",
    }
    return open_objects(urls[request.param](), book)


def message(size: int) -> bytes:
    return (LIKE_TEXT * (size // len(LIKE_TEXT) + 1))[:size]


async def read(objects: Objects, placed: Placed, size: int, start: int = 0, stop: int | None = None) -> bytes:
    pieces = [piece async for piece in objects.read(placed, size, start, size if stop is None else stop)]
    assert all(0 < len(piece) <= FRAME_BYTES for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 7, 9 * MIB])
async def test_what_was_put_can_be_read(objects: Objects, size: int) -> None:
    placed = await objects.put("a", ACCOUNT, message(size))
    assert await read(objects, placed, size) == message(size)


async def test_any_range_can_be_read(objects: Objects) -> None:
    size = 3 * FRAME_BYTES + 7
    whole = message(size)
    placed = await objects.put("a", ACCOUNT, whole)
    edges = (0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES, 3 * FRAME_BYTES, size - 1, size)
    for start in edges:
        for stop in edges:
            assert await read(objects, placed, size, start, stop) == whole[start:stop]
    assert await read(objects, placed, size, size + 1, size + 2) == b""
    assert await read(objects, placed, size, size - 1, size + 10) == whole[-1:]


async def test_no_name_is_used_twice(objects: Objects) -> None:
    names = {(await objects.put("a", ACCOUNT, b"the same octets")).name for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith(f"a/{ACCOUNT}/") for name in names)


async def test_an_object_is_a_file_that_zstd_can_read(tmp_path: Path, book: Book) -> None:
    zstd = shutil.which("zstd")
    assert zstd is not None, "zstd is not installed (Debian: zstd)"
    objects = open_objects(f"file://{tmp_path}", book)
    whole = message(2 * FRAME_BYTES + 99)
    placed = await objects.put("a", ACCOUNT, whole)
    assert subprocess.run([zstd, "-dc", tmp_path / placed.name], check=True, capture_output=True).stdout == whole


async def test_a_lost_object_is_expunged_and_told(objects: Objects, book: Book) -> None:
    placed = await objects.put("a", ACCOUNT, message(1000))
    await objects.delete([placed.name])
    with pytest.raises(FaultRefused) as refused:
        await read(objects, placed, 1000)
    assert refused.value.code is Code.EXPUNGEISSUED
    assert [(fault.kind, fault.file) for fault in book.faults] == [(Kind.LOST, placed.name)]


async def test_deleting_twice_is_deleting(objects: Objects, book: Book) -> None:
    placed = [await objects.put("a", ACCOUNT, b"x") for _ in range(3)]
    await objects.delete([placed[1].name])
    await objects.delete([each.name for each in placed])
    assert [name async for listed in objects.listed("a") for name in listed] == []
    assert book.faults == []


async def test_objects_are_listed_by_shard(objects: Objects) -> None:
    mine = {(await objects.put("a", ACCOUNT, b"x")).name for _ in range(3)}
    await objects.put("ab", ACCOUNT, b"x")
    assert {each.name async for listed in objects.listed("a") for each in listed} == mine


async def test_changed_octets_are_never_served(tmp_path: Path, book: Book) -> None:
    objects = open_objects(f"file://{tmp_path}", book)
    placed = await objects.put("a", ACCOUNT, message(FRAME_BYTES))
    file = tmp_path / placed.name
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2] ^= 1
    file.write_bytes(octets)
    with pytest.raises(FaultRefused) as refused:
        await read(objects, placed, FRAME_BYTES)
    assert refused.value.code is Code.CORRUPTION
    file.write_bytes(octets[:100])
    with pytest.raises(FaultRefused) as refused:
        await read(objects, placed, FRAME_BYTES)
    assert refused.value.code is Code.CORRUPTION
    assert book.kinds == [Kind.DAMAGED] * 2


@pytest.mark.parametrize(
    "url", ["", "nonsense", "s3:///no-bucket", "s3://bucket?endpont=x", "http://host/", "file://relative", "s3://b?x"]
)
def test_another_url_says_what_is_expected(url: str, book: Book) -> None:
    with pytest.raises(Refused, match="is no object store"):
        open_objects(url, book)


# An object store that fails


@pytest.fixture
async def proxy(object_store: ObjectStore) -> AsyncIterator[Proxy]:
    async with before(to_port(object_store.port)) as proxy:
        yield proxy


@pytest.fixture
async def troubled(object_store: ObjectStore, proxy: Proxy, prefix: str, book: Book) -> tuple[Objects, Placed]:
    """Objects of little patience behind *proxy*, and one that is there."""
    objects = open_objects(object_store.url(prefix, port=proxy.port), book, IMPATIENT)
    return objects, await objects.put("a", ACCOUNT, message(1000))


async def every_verb_is_refused(objects: Objects, placed: Placed) -> None:
    began = asyncio.get_running_loop().time()
    for verb in (
        objects.put("a", ACCOUNT, message(1000)),
        objects.put("a", ACCOUNT, message(9 * MIB)),
        read(objects, placed, 1000),
        objects.delete([placed.name]),
        anext(aiter(objects.listed("a"))),
    ):
        with pytest.raises(FaultRefused) as refused:
            await verb
        assert refused.value.code is Code.UNAVAILABLE
        assert not refused.value.uncertain
    assert asyncio.get_running_loop().time() - began < 30  # 1 s each, and 9 s for the large message


@pytest.mark.parametrize("how", ["refused", "swallowed"])
async def test_an_object_store_that_is_gone_is_refused_in_time(
    how: str, troubled: tuple[Objects, Placed], proxy: Proxy, book: Book
) -> None:
    objects, placed = troubled
    if how == "refused":
        await proxy.refuse()
        await proxy.cut()
    else:
        proxy.swallow()
    await every_verb_is_refused(objects, placed)
    assert book.kinds == [Kind.OBJECTS] * 5
    if how == "refused":
        await proxy.start()
    else:
        proxy.let_pass()
    assert await read(objects, placed, 1000) == message(1000)
    await objects.put("a", ACCOUNT, message(1000))


async def test_a_cut_connection_is_asked_again(troubled: tuple[Objects, Placed], proxy: Proxy, book: Book) -> None:
    objects, placed = troubled
    for _ in range(5):
        await proxy.cut()
        assert await read(objects, placed, 1000) == message(1000)
        await proxy.cut()
        await objects.put("a", ACCOUNT, message(1000))
    assert book.faults == []


@pytest.mark.parametrize("status", [b"403 Forbidden", b"404 Not Found", b"500 Internal Server Error", b"503 Slow Down"])
async def test_a_refusal_is_not_a_lost_object(status: bytes, book: Book) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<Error><Code>NoSuchBucket</Code></Error>"
        writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "x")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "y")
        objects = open_objects(f"s3://mail?endpoint=http://127.0.0.1:{port}&region=us-east-1", book, IMPATIENT)
        await every_verb_is_refused(objects, Placed("a/b/c", module.index_of([100])))
    assert book.kinds == [Kind.OBJECTS] * 5
    server.close()


async def test_a_cancelled_read_frees_its_place(
    troubled: tuple[Objects, Placed], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, placed = troubled
    proxy.swallow()
    reads = [asyncio.create_task(read(objects, placed, 1000)) for _ in range(3 * module.GETS)]
    while proxy.connections < module.GETS:
        await asyncio.sleep(0)
    for each in reads:
        each.cancel()
    assert all(
        isinstance(error, asyncio.CancelledError) for error in await asyncio.gather(*reads, return_exceptions=True)
    )
    proxy.let_pass()
    assert await read(objects, placed, 1000) == message(1000)


async def test_a_range_is_one_request(object_store: ObjectStore, prefix: str, book: Book) -> None:
    """Each request makes a connection, as the test cuts the one before. Four of these frames fit in a window."""
    async with before(to_port(object_store.port)) as proxy:
        objects = open_objects(object_store.url(prefix, port=proxy.port), book)
        size = 20 * FRAME_BYTES
        placed = await objects.put("a", ACCOUNT, message(size))
        for start, stop, windows in ((5, 10, 1), (FRAME_BYTES - 1, FRAME_BYTES + 1, 1), (0, size, 5)):
            await proxy.cut()
            before_it = proxy.connections
            pieces = objects.read(placed, size, start, stop)
            async for _ in pieces:
                await proxy.cut()
            assert proxy.connections - before_it == windows


async def test_a_large_message_is_never_whole_in_memory(objects: Objects) -> None:
    class Watched:
        """A message whose octets are made when they are asked for."""

        most = 0

        def __len__(self) -> int:
            return 40 * MIB

        def __getitem__(self, which: slice) -> bytes:
            start, stop, _ = which.indices(len(self))
            self.most = max(self.most, stop - start)
            return os.urandom(stop - start)

    watched = Watched()
    placed = await objects.put("a", ACCOUNT, watched)  # type: ignore[arg-type]
    assert watched.most == FRAME_BYTES
    assert len(placed.frames) == 4 * 40 * MIB // FRAME_BYTES
