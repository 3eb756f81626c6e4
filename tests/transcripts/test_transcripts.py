"""Every transcript, played: in memory as a whole, octet by octet, on the naive engine, and over sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.backend import open_naive_world, open_world
from tests.support.sockets import Servers, SocketWorld
from tests.support.stage import perform
from tests.support.transcript import Transcript, read

HERE = Path(__file__).parent
MAIL = HERE / "mail"
TRANSCRIPTS = {str(path.relative_to(HERE)): read(path) for path in sorted(HERE.glob("*/*.txt"))}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def folder(transcript: Transcript, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The data directory, for a transcript that restarts its server; None for a store in memory."""
    return tmp_path_factory.mktemp("restarted") / "data" if "restart" in transcript.acts else None


@pytest.mark.parametrize("by_octet", [False, True], ids=["whole", "by octet"])
@pytest.mark.parametrize("transcript", TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
async def test_in_memory(transcript: Transcript, by_octet: bool, folder: Path | None) -> None:
    world = await open_world(transcript, folder, by_octet=by_octet)
    await perform(transcript, world, MAIL)


@pytest.mark.parametrize("transcript", TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
async def test_on_the_naive_engine(transcript: Transcript) -> None:
    if "restart" in transcript.acts:
        pytest.skip("the naive engine has no file that could be opened again")
    await perform(transcript, await open_naive_world(transcript), MAIL)


OVER_SOCKETS = {name: each for name, each in TRANSCRIPTS.items() if "clock" not in each.acts}
"""A transcript cannot move the clock of a server on sockets."""
IN_THE_CLEAR = {name: each for name, each in OVER_SOCKETS.items() if not each.head("tls")}
"""The others show what TLS changes, or are not encrypted in any case."""
COMPRESSED = {
    name: each
    for name, each in OVER_SOCKETS.items()
    # RFC 8437 §4.1: UNAUTHENTICATE would end the compression
    if not {"COMPRESS=DEFLATE", "UNAUTHENTICATE"} & set(each.words("needs"))
    and each.head("protocol", "imap") == "imap"
    and each.head("state") != "none"
}


@pytest.mark.parametrize("transcript", OVER_SOCKETS.values(), ids=OVER_SOCKETS.keys())
async def test_over_sockets(transcript: Transcript, folder: Path | None, servers: Servers) -> None:
    world = SocketWorld(transcript, folder, servers)
    await world.open()
    await perform(transcript, world, MAIL)


@pytest.mark.parametrize("transcript", IN_THE_CLEAR.values(), ids=IN_THE_CLEAR.keys())
async def test_in_the_clear(transcript: Transcript, folder: Path | None, servers: Servers) -> None:
    world = SocketWorld(transcript, folder, servers, in_the_clear=True)
    await world.open()
    await perform(transcript, world, MAIL)


@pytest.mark.parametrize("transcript", COMPRESSED.values(), ids=COMPRESSED.keys())
async def test_compressed(transcript: Transcript, folder: Path | None, servers: Servers) -> None:
    world = SocketWorld(transcript, folder, servers)
    await world.open()
    await perform(transcript, world, MAIL, compressed=True)
