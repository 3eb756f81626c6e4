"""A session says everything in its one language: English, unless its translation was replaced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.locale import translation_to
from mektup.pop3.session import Pop3Session
from mektup.session.life import Life
from mektup.session.services import Services
from mektup.terms.peer import Peer
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


def in_turkish(session_of: Callable[[Peer, Services], Life]) -> Callable[[Peer, Services], Life]:
    """Begins a session whose client has chosen Turkish."""

    def begin(peer: Peer, services: Services) -> Life:
        session = session_of(peer, services)
        turkish = translation_to("tr")
        assert turkish is not None
        session.translation = turkish
        return session

    return begin


async def said(given: Given, session_of: Callable[[Peer, Services], Life], octets: bytes) -> list[str]:
    async with Dialogue(session_of, given.services) as client:
        client.send(octets)
        return (await client.rest()).decode().splitlines()


IMAP = (
    b"a1 LOGIN linda Pa$$123\r\na2 NOOP\r\na3 NOOOP\r\na4 SELECT nowhere\r\na5 SELECT INBOX\r\n"
    b"a6 FETCH 1 FLAGS\r\na7 STATUS INBOX (SIZES)\r\na8 CREATE INBOX\r\na9 LOGOUT\r\n"
)


async def test_imap_in_turkish(given: Given) -> None:
    lines = await said(given, in_turkish(ImapSession), IMAP)
    assert lines[0].endswith("] mektup hazır, oturum " + given.services.session_id)
    assert lines[1].startswith("a1 OK [CAPABILITY ")
    assert lines[1].endswith("] Hoş geldiniz")
    for line in (
        "a2 OK NOOP tamamlandı",
        "a3 BAD Bilinmeyen komut; NOOP mi demek istediniz?, sütun 4",
        "a4 NO [NONEXISTENT] Böyle bir klasör yok",
        "* OK [UIDNEXT 1] Sıradaki UID",
        "a5 OK [READ-WRITE] Açıldı",
        "a6 BAD Bu sıra numarasında ileti yok: klasör boş",
        "a7 BAD Beklenen: MESSAGES ya da UIDNEXT gibi bir STATUS öğesi, sütun 18",
        "a8 NO [ALREADYEXISTS] Bu adda bir klasör var",
        "* BYE Hoşça kalın",
        "a9 OK LOGOUT tamamlandı",
    ):
        assert line in lines


async def test_imap_in_english_is_ascii(given: Given) -> None:
    lines = await said(given, ImapSession, IMAP + "b1 NOŞ\r\n".encode())
    assert "a2 OK NOOP completed" in lines
    assert all(line.isascii() for line in lines)


async def test_pop3_in_turkish(given: Given) -> None:
    lines = await said(given, in_turkish(Pop3Session), b"USER linda\r\nPASS Pa$$123\r\nDELE 1\r\nWHAT\r\nQUIT\r\n")
    assert lines == [
        f"+OK mektup POP3 hazır, oturum {given.services.session_id}",
        "+OK Şimdi parola",
        "+OK Hoş geldiniz, 0 ileti var (0 bayt)",
        "-ERR Böyle bir ileti yok, toplam 0 ileti var",
        "-ERR Bilinmeyen komut; girişten sonraki komutlar: CAPA STAT LIST UIDL RETR TOP DELE RSET NOOP QUIT",
        "+OK Hoşça kalın, 0 ileti kaldı",
    ]


async def test_lmtp_in_turkish(given: Given) -> None:
    lines = await said(given, in_turkish(LmtpSession), b"MAIL FROM:<>\r\nLHLO there\r\nRSET now\r\nQUIT\r\n")
    assert lines[1] == "503 5.5.1 Önce LHLO gönderin"
    assert lines[-2] == "501 5.5.4 RSET argüman almaz"
    assert lines[-1].endswith("Hoşça kalın")
