"""The values of ENVELOPE."""

from __future__ import annotations

from mektup.message.addresses import Address
from mektup.message.envelope import read_envelope
from mektup.message.headers import index_fields

ANN = Address(None, None, b"ann", b"example.org")
BO = Address(None, None, b"bo", b"example.org")


def test_fields_are_unfolded_but_not_decoded() -> None:
    header = (
        b"Date: Mon,\r\n 24 Nov 2025\r\nSubject: =?utf-8?q?a?=\r\nIn-Reply-To: <a@b>\r\nMessage-ID:\r\n <c@d>\r\n"
        b"From: ann@example.org\r\nSender: bo@example.org\r\nReply-To: bo@example.org\r\n"
        b"To: ann@example.org\r\nCc: bo@example.org\r\nBcc: ann@example.org\r\n"
    )
    assert read_envelope(index_fields(header), 10) == (
        b"Mon, 24 Nov 2025",
        b"=?utf-8?q?a?=",
        (ANN,),
        (BO,),
        (BO,),
        (ANN,),
        (BO,),
        (ANN,),
        b"<a@b>",
        b"<c@d>",
    )


def test_missing_or_empty_sender_and_reply_to_are_as_from() -> None:
    envelope = read_envelope(index_fields(b"From: ann@example.org\r\nReply-To: \r\n"), 10)
    assert envelope.sender == envelope.reply_to == envelope.from_ == (ANN,)


def test_missing_fields_are_none_and_empty_fields_are_empty() -> None:
    envelope = read_envelope(index_fields(b"Subject:\r\nTo:\r\n"), 10)
    assert envelope == (None, b"", (), (), (), (), (), (), None, None)


def test_repeated_fields_give_the_last_text_and_all_addresses() -> None:
    header = b"Subject: a\r\nSubject: b\r\nTo: ann@example.org\r\nTo: bo@example.org\r\n"
    envelope = read_envelope(index_fields(header), 10)
    assert envelope.subject == b"b"
    assert envelope.to == (ANN, BO)


def test_addresses_are_limited_over_all_fields_of_a_name() -> None:
    envelope = read_envelope(index_fields(b"To: ann@example.org, bo@example.org\r\n" * 10), 7)
    assert 7 <= len(envelope.to) <= 8


def test_an_envelope_from_the_cache_is_the_same() -> None:
    # the value of From is cached, that of To is too long
    header = b"From: Ann <ann@example.org>\r\nTo: " + b"bo@example.org, " * 20 + b"\r\n"
    assert read_envelope(index_fields(header), 30) == read_envelope(index_fields(header), 30)
    assert len(read_envelope(index_fields(header), 30).to) == 20
    assert len(read_envelope(index_fields(header), 10).to) == 10
