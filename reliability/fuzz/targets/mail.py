"""Whole messages: structure, envelope, text for SEARCH, parts, and what FETCH makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from mektup.message.headers import FieldChooser, all_fields, header_text, index_fields, select_fields
from mektup.message.layout import Layout, unpack
from mektup.message.part_decoder import LONG_LINE, MessageDecoder, decoder
from mektup.message.scan import scan
from mektup.message.text import field_texts, search_text
from mektup.message.transfer import decode_message, decode_part
from mektup.store.arrival import Arrival, one_form, prepare
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from reliability.fuzz import corpus
from reliability.fuzz.target import KIB, Frame, Target, pieces, require, same
from tests.support.strict_grammar import Reader

ENCODINGS = ("base64", "quoted-printable", "7bit", "8bit", "binary", "x-uuencode", "uuencode")

LOW = Limits(mime_parts=5, mime_depth=3, header_bytes=300, header_field_bytes=60, header_fields=8, addresses=3)

WORDS = (
    b"From: ",
    b"To: ",
    b"Cc: ",
    b"Subject: ",
    b"Date: ",
    b"Message-ID: ",
    b"References: ",
    b"In-Reply-To: ",
    b"\r\n",
    b"\r\n\r\n",
    b"MIME-Version: 1.0\r\n",
    b"Content-Type: ",
    b"multipart/mixed",
    b"; boundary=b",
    b'; boundary="b"',
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"--b",
    b"--",
    b"message/rfc822",
    b"message/global",
    b"multipart/digest",
    b"text/plain",
    b"text/html",
    b"; charset=utf-8",
    b"; charset=iso-2022-jp",
    b"; charset=utf-7",
    b"; charset=x",
    b"Content-Transfer-Encoding: ",
    b"base64",
    b"quoted-printable",
    b"Content-Disposition: attachment; filename=",
    b"; filename*=utf-8''%e2%82%ac",
    b"; a*0*=",
    b"; a*1=",
    b"=?utf-8?q?=C3=A9?=",
    b"=?utf-8?b?w6k=?=",
    b"=?",
    b"?=",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b'"',
    b"\\",
    b"[",
    b"]",
    b" ",
    b"\t",
    b"\r\n ",
    b"=",
    b"=\r\n",
    b"=3D",
    b"=C3",
    b"w6k=",
    b"<p>",
    b"<a href=",
    b"<!--",
    b"-->",
    b"<style>",
    b"&amp;",
    b"&#233;",
    b"Re: ",
    b"[fwd: ",
    b"(fwd)",
    b"Mon, 7 Feb 1994 21:52:25 -0800",
    b"\x1b$B",
    b"\x1b(B",
    b"\xc3\xa9",
    b"\xe9",
    b"\0",
    b"Content-Language: ",
    b"Content-ID: ",
    b"Content-MD5: ",
    b"Content-Location: ",
    b"begin 644 x\n",
    b"end\n",
)

_MULTIPART = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"

FRAMES: tuple[Frame, ...] = (
    (b"", b""),
    (b"", b"\r\n\r\n"),
    (b"\r\n", b""),
    (_MULTIPART, b"\r\n--b--\r\n"),
    (_MULTIPART, b""),
    *(
        (name + b": ", b"\r\n\r\n")
        for name in (
            b"To",
            b"From",
            b"Subject",
            b"Date",
            b"References",
            b"Message-ID",
            b"In-Reply-To",
            b"Content-Type",
            b"X",
            b"MIME-Version: 1.0\r\nContent-Disposition",
            b"MIME-Version: 1.0\r\nContent-Language",
            b"MIME-Version: 1.0\r\nContent-ID",
            b"MIME-Version: 1.0\r\nContent-Location",
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding",
            b"MIME-Version: 1.0\r\nContent-MD5",
        )
    ),
    *(
        (b"Content-Type: " + kind + b"\r\n\r\n", b"")
        for kind in (
            b"text/html",
            b"text/plain; charset=utf-8",
            b"text/plain; charset=iso-2022-jp",
            b"message/rfc822",
            b"text/plain; charset=utf-7",
            b"text/plain\r\nContent-Transfer-Encoding: quoted-printable",
            b"text/plain\r\nContent-Transfer-Encoding: base64",
            b"message/global\r\nContent-Transfer-Encoding: base64",
        )
    ),
    (b"Content-Type: multipart/mixed; boundary=", b"\r\n\r\n--b\r\n\r\nx"),
    (b"Content-Type: text/plain; a=", b"\r\n\r\n"),
)


def message(octets: bytes) -> None:
    """Any octets are a message whose parts can be shown, read and searched."""
    arrival = prepare(octets)
    _check_shown(arrival)
    headers, body = search_text(octets)
    require(len(headers) + len(body) <= 4 * len(octets) + 10_000, "the text is much longer than the message")
    if len(octets) <= 4 * KIB:
        _check_parts(octets)
        _check_shown(prepare(octets, LOW))
        header = octets[: arrival.header_size]
        _check_fields(header)


def _check_shown(arrival: Arrival) -> None:
    reader = Reader(arrival.envelope)
    reader.envelope()
    reader.end()
    for rev1 in (False, True):
        for value, extensible in ((arrival.body, False), (arrival.bodystructure, True)):
            reader = Reader(one_form(value, rev1=rev1), rev1=rev1)
            reader.body(extensible=extensible)
            reader.end()
    reader = Reader(one_form(arrival.bodystructure, rev1=False))
    numbered = reader.body(extensible=True).numbered()
    _check_places(arrival, [tuple(map(int, path.split("."))) for path, _ in numbered])
    require(len(arrival.preview) <= 200, "a long preview")


def _check_places(arrival: Arrival, shown: list[tuple[int, ...]]) -> None:
    layout = unpack(arrival.layout)
    same(sorted(place.path for place in layout.parts), sorted(shown), "parts that are shown, and that can be fetched")
    for path in ((), *shown[:20]):
        inside = bool(layout.encoded_around(path, inside=False))
        for span in (layout.whole(path), layout.header(path), layout.text(path), layout.mime(path)):
            require(span is None or 0 <= span[0] <= span[1], f"a stretch is reversed: {span}")
        whole = layout.whole(path)
        require(whole is not None, "a part has no content")
        require(inside or (whole or (0, 0))[1] <= arrival.size, "a part ends after the message")


def _check_parts(octets: bytes) -> None:
    parts = scan(octets)
    require(parts[0].stop == len(octets), "the message ends elsewhere")
    layout: Layout = unpack(prepare(octets).layout)
    for place in layout.parts[:8]:
        if place.around is None:
            _decodes_alike(octets[place.content_start : place.stop], place.encoding)


def _decodes_alike(octets: bytes, encoding: str) -> None:
    try:
        whole = decode_part(octets, encoding)
    except Refused:
        return
    same(_through(octets, encoding), whole, f"{encoding} differs in pieces")


def _through(octets: bytes, encoding: str) -> bytes | None:
    try:
        through = decoder(encoding)
    except Refused:
        return None
    return b"".join([*map(through.take, pieces(octets)), through.finish()])


def _check_fields(header: bytes) -> None:
    names = frozenset((b"from", b"to", b"subject", b"x"))
    for exclude in (False, True):
        chooser = FieldChooser(names, exclude)
        chosen = b"".join([*map(chooser.take, pieces(header)), chooser.finish()])
        same(chosen, select_fields(header, names, exclude), "chosen fields differ in pieces")
    every = all_fields(header)
    same({name.lower() for name, _ in every}, set(index_fields(header)), "names of fields")
    header_text(header)
    list(field_texts(header))


def transfer(octets: bytes) -> None:
    """Each transfer encoding decodes alike as a whole and in pieces, if no line is so long that it is cut."""
    if len(octets) > LONG_LINE // 2:
        for encoding in ENCODINGS:
            _through(octets, encoding)
        return
    for encoding in ENCODINGS:
        _decodes_alike(octets, encoding)
        try:
            whole = decode_message(octets, encoding)
        except Refused:
            continue
        through = MessageDecoder(encoding)
        same(b"".join([*map(through.take, pieces(octets)), through.finish()]), whole, f"a message in {encoding}")


def _transfers() -> Iterator[bytes]:
    yield from (
        b"w6k=",
        b"w6k",
        b"dGhpcyBpcw==\r\nYQ==",
        b"=C3=A9=\r\n a =20\r\n",
        b"=\t \r\n==3D",
        b"begin 644 x\n#86)C\n`\nend\n",
    )
    for octets in corpus.mail():
        yield octets.partition(b"\r\n\r\n")[2][: 4 * KIB]


TARGETS = (
    Target(
        "message",
        "messages: structure, envelope, parts, text for SEARCH",
        message,
        corpus.mail,
        WORDS,
        FRAMES,
        largest=256 * KIB,
    ),
    Target(
        "transfer",
        "base64, quoted-printable, uuencode, whole and in pieces",
        transfer,
        _transfers,
        (
            b"=",
            b"=\r\n",
            b"=20",
            b"\r\n",
            b" ",
            b"\t",
            b"A",
            b"==",
            b"begin 644 x\n",
            b"end\n",
            b"`",
            b"=C3",
            b"M",
            b"\n",
        ),
        ((b"", b""), (b"begin 644 x\n", b"\nend\n")),
        longest=1000,
        largest=128 * KIB,
    ),
)
