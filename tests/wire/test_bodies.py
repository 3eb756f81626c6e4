"""ENVELOPE, BODY and BODYSTRUCTURE as wire bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.envelope import read_envelope
from mektup.message.headers import index_fields
from mektup.message.layout import pack, unpack
from mektup.message.scan import scan
from mektup.wire.bodies import bodies, envelope
from tests.peer.imap_client import parse
from tests.support.strict_grammar import Reader


def envelope_of(header: bytes) -> bytes:
    return envelope(read_envelope(index_fields(header), 1000))


def test_the_envelope_of_rfc_9051() -> None:
    """As in the example of RFC 9051 §8."""
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
        b"From: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
        b"To: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.ed>\r\n"
        b"MIME-Version: 1.0\r\n\r\n"
    )
    assert envelope_of(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) '
        b'(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL '
        b'"<B27397-0100000@cac.washington.ed>")'
    )


@pytest.mark.parametrize(
    ("header", "rendered"),
    [
        (b"", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"Subject:\r\n", b'(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b'Subject: say "hi"\\\r\n', b'(NIL "say \\"hi\\"\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"Subject: a  b\t\r\n\tc\r\n", b'(NIL "a b c" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (b"Subject: \xc3\xbc\r\n", b"(NIL {2}\r\n\xc3\xbc NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"Subject: \xfc\r\n", b"(NIL {1}\r\n\xfc NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"Subject: a\0\r\n", b"(NIL {4}\r\na\xef\xbf\xbd NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (
            b"To: g: a@b;\r\n",
            b'(NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL NIL NIL)',
        ),
        (b"Bcc: <@r:a@b>\r\n", b'(NIL NIL NIL NIL NIL NIL NIL ((NIL "@r" "a" "b")) NIL NIL)'),
        (
            b"From: a@b\r\nSender: c@d\r\n",
            b'(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)',
        ),
    ],
)
def test_envelopes(header: bytes, rendered: bytes) -> None:
    assert envelope_of(header) == rendered


TEXT = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" %d %d'


@pytest.mark.parametrize(
    ("raw", "body", "extension"),
    [
        (b"\r\nbody\r\n", TEXT % (6, 1), b" NIL NIL NIL NIL"),
        (
            b"Content-Type: TEXT/Html; Charset=x\r\n\r\n",
            b'("TEXT" "Html" ("Charset" "x") NIL NIL "7bit" 0 0',
            b" NIL NIL NIL NIL",
        ),
        (
            b"Content-Type: text/plain; format=flowed\r\n\r\n",
            b'("text" "plain" ("format" "flowed" "charset" "us-ascii") NIL NIL "7bit" 0 0',
            b" NIL NIL NIL NIL",
        ),
        (
            b"Content-Type: image/png\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <a@b>\r\n"
            b"Content-Description: a  picture\r\nContent-MD5: Q2hlY2s=\r\nContent-Language: en, tr\r\n"
            b'Content-Location: http://example.org/\r\nContent-Disposition: attachment; filename="a b.png"\r\n\r\nYQ==',
            b'("image" "png" NIL "<a@b>" "a  picture" "BASE64" 4',
            b' "Q2hlY2s=" ("attachment" ("filename" "a b.png")) ("en" "tr") "http://example.org/"',
        ),
        (
            b"Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\nSubject: x\r\n\r\nbody\r\n",
            b'("message" "rfc822" NIL NIL NIL "7bit" 20 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) '
            + TEXT % (6, 1)
            + b") 3",
            b' NIL ("inline" NIL) NIL NIL',
        ),
    ],
)
def test_single_parts(raw: bytes, body: bytes, extension: bytes) -> None:
    rendered, structure = bodies(scan(raw), 1000)
    assert rendered == body + b")"
    inner = TEXT % (6, 1) + b")"
    assert structure == body.replace(inner, inner[:-1] + b" NIL NIL NIL NIL)") + extension + b")"


def test_a_multipart_lists_its_parts_before_its_subtype() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=a\r\nContent-Disposition: inline\r\nContent-Language: en\r\n"
        b"Content-Location: here\r\n\r\n--a\r\n\r\none\r\n--a\r\n"
        b"Content-Type: multipart/x; boundary=b\r\n\r\n--b--\r\n--a--\r\n"
    )
    assert bodies(scan(raw), 1000) == (
        b"(" + TEXT % (3, 0) + b")(" + TEXT % (0, 0) + b') "x") "mixed")',
        b"(" + TEXT % (3, 0) + b" NIL NIL NIL NIL)"
        b"(" + TEXT % (0, 0) + b' NIL NIL NIL NIL) "x" ("boundary" "b") NIL NIL NIL)'
        b' "mixed" ("boundary" "a") ("inline" NIL) ("en") "here")',
    )


def test_a_message_global_is_a_message() -> None:
    body, _ = bodies(scan(b"Content-Type: message/global\r\n\r\nSubject: \xc5\x9f\r\n\r\n"), 1000)
    assert body.startswith(b'("message" "global" NIL NIL NIL "7bit" 15 (NIL {2}\r\n\xc5\x9f NIL')


LINES = st.sampled_from(
    [
        b"--a",
        b"--b",
        b"--a--",
        b"",
        b"text",
        b"Content-Type: multipart/mixed; boundary=a",
        b'Content-Type: multipart/digest; boundary=b; x="\\""',
        b"Content-Type: message/rfc822",
        b"Content-Disposition: attachment; filename*0*=utf-8''%c5; filename*1=\xff",
        b"Content-Language: a, b",
        b'From: g: a@b;, "\xc3\xbc" <c@d>',
        b"Subject: \0",
        b"Content-Type: message/global",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: \xff",
        b"Content-Disposition: filename*=x",
        b"Content-Type: text/h\"tml; charset*=''%ff; a; =b; c=",
        b"Content-ID: \r<a\\",
        b"Message-ID:",
        b'To: ;;:<("',
        b"UXVvdGVkOiAxDQoNCng=",
    ]
)


@given(st.lists(LINES, max_size=30).map(b"\r\n".join))
def test_the_answer_is_valid_for_any_message(raw: bytes) -> None:
    """For a strict parser of RFC 9051 §9, and of RFC 3501 for the older revision; every part is in the layout."""
    parts = scan(raw)
    layout = unpack(pack(parts))
    reader = Reader(envelope(read_envelope(parts[0].fields, 1000)))
    reader.envelope()
    reader.end()
    for rev1 in (True, False):
        for rendered, extensible in zip(bodies(parts, 1000, rev1=rev1), (False, True), strict=True):
            reader = Reader(rendered, rev1=rev1)
            numbered = reader.body(extensible=extensible).numbered()
            reader.end()
            for number, part in numbered:
                start, stop = layout.whole(tuple(map(int, number.split(".")))) or (0, -1)
                assert start <= stop
                assert part.octets in (None, stop - start)


def test_body_and_bodystructure_agree() -> None:
    message = b"Content-Type: message/rfc822\r\n\r\nFrom: a@b\r\n\r\nx\r\n"
    raw = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + message + b"--a--\r\n"
    ((body,), (structure,)) = map(parse, bodies(scan(raw), 1000))
    assert structure[0][:10] == [*body[0][:8], structure[0][8], body[0][9]]
    assert structure[0][8][:8] == body[0][8]
