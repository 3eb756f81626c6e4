"""LMTP end to end in memory: tests that transcripts cannot show, or not at this size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mektup.lmtp.session import LmtpSession
from mektup.store.interface import Account
from mektup.terms.delivery import DeliveryRules
from tests.support.dialogue import Dialogue
from tests.support.services import Given, flags, untraced
from tests.support.services import messages as stored

RAW = b"From: ada@example.org\r\nSubject: dinner\r\n\r\nat eight\r\n"


async def messages(account: Account, mailbox: str = "INBOX") -> list[bytes]:
    """The messages as they were sent."""
    return [untraced(raw) for raw in await stored(account, mailbox)]


async def _begin(client: Dialogue, *recipients: bytes) -> None:
    """Sends the commands up to DATA, and waits for its 354."""
    await client.line()
    client.send(b"LHLO there\r\nMAIL FROM:<ada@example.org>\r\n")
    await client.until(b"250 ENHANCEDSTATUSCODES\r\n")
    assert (await client.line()).startswith(b"250 2.1.0")
    for recipient in recipients:
        assert (await client.ask(b"RCPT TO:<" + recipient + b">")).startswith(b"250 2.1.5")
    assert (await client.ask(b"DATA")).startswith(b"354 ")


@pytest.mark.parametrize("by_octet", [False, True])
async def test_a_message_is_kept_octet_for_octet(given: Given, by_octet: bool) -> None:
    raw = RAW + b".\r\n..\r\nlone CR \r, 8 bit \xe4\xff, NUL \0\r\n\r\n.\r\n"
    async with Dialogue(LmtpSession, given.services, by_octet=by_octet) as client:
        await _begin(client, b"linda@example.org")
        client.send(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert await client.line() == b"250 2.0.0 <linda@example.org> Saved"
    assert await messages(await given.account()) == [raw]
    assert await flags(await given.account()) == [()]
    assert given.services.tally.messages == 1


async def test_a_bare_line_feed_becomes_a_line_end(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda")
        client.send(b"Subject: x\n\nbody\n.\nmore\r\n.\r\n")
        await client.line()
    assert await messages(await given.account()) == [b"Subject: x\r\n\r\nbody\r\n.\r\nmore\r\n"]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n"])
async def test_no_message_can_be_smuggled_in_another(given: Given, end: bytes) -> None:
    smuggled = b"MAIL FROM:<root@example.org>\r\nRCPT TO:<linda>\r\nDATA\r\nSubject: forged\r\n"
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda")
        client.send(RAW + b"x" + end + smuggled + b".\r\nNOOP\r\n")
        assert (await client.line()).startswith(b"250 2.0.0 <linda>")
        assert (await client.line()).startswith(b"250 2.0.0 Here")
    (raw,) = await messages(await given.account())
    assert b"Subject: forged" in raw


async def test_everything_may_come_at_once(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        one = b"MAIL FROM:<>\r\nRCPT TO:<linda>\r\nDATA\r\n" + RAW + b".\r\n"
        client.send(b"LHLO there\r\n" + one + one + b"QUIT\r\n")
        replies = (await client.rest()).split(b"\r\n")
    codes = b" ".join(reply[:3] for reply in replies if reply[3:4] == b" ")
    assert codes == b"220 250 250 250 354 250 250 250 354 250 221"
    assert await messages(await given.account()) == [RAW, RAW]


async def test_a_large_message_passes(given: Given) -> None:
    line = b"." + b"x" * 75 + b"\r\n"
    raw = b"Subject: large\r\n\r\n" + line * 20_000
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda")
        stuffed = raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        for start in range(0, len(stuffed), 65_521):
            client.send(stuffed[start : start + 65_521])
        assert (await client.line()).startswith(b"250 ")
    assert await messages(await given.account()) == [raw]


async def test_a_message_over_the_limit_is_refused_for_each_recipient(given: Given) -> None:
    await given.add("ada")
    async with Dialogue(LmtpSession, given.limited(message_bytes=100)) as client:
        await _begin(client, b"linda", b"ada")
        client.send(RAW + b"x" * 100 + b"\r\n.\r\nNOOP\r\n")
        for reply in await client.lines(2):
            assert reply.startswith(b"552 5.3.4 ")
        assert (await client.line()).startswith(b"250 ")
    assert await messages(await given.account()) == []
    assert given.services.tally.messages == 0


async def test_a_message_of_just_the_limit_is_taken(given: Given) -> None:
    raw = b"Subject: x\r\n\r\n" + b"x" * 84 + b"\r\n"
    async with Dialogue(LmtpSession, given.limited(message_bytes=len(raw))) as client:
        await _begin(client, b"linda")
        client.send(raw + b".\r\n")
        assert (await client.line()).startswith(b"250 ")


async def test_an_announced_size_over_the_limit_is_refused_before_it_comes(given: Given) -> None:
    async with Dialogue(LmtpSession, given.limited(message_bytes=100)) as client:
        await client.line()
        client.send(b"LHLO there\r\n")
        assert b"250-SIZE 100\r\n" in await client.until(b"250 ENHANCEDSTATUSCODES\r\n")
        assert (await client.ask(b"MAIL FROM:<> SIZE=101")).startswith(b"552 5.3.4 ")
        assert (await client.ask(b"MAIL FROM:<> SIZE=100")).startswith(b"250 2.1.0 ")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (b"linda@example.org", "linda"),
        (b"LINDA@EXAMPLE.ORG", "linda"),
        (b'"linda"@example.org', "linda"),
        (b"ada@example.org", "ada@example.org"),
        (b"ada@example.com", "ada"),
        (b"ada", "ada"),
        (b"ada+x@example.org", "ada@example.org"),
        ("h\u00e9l\u00e8ne@example.org".encode(), "Hélène"),
        ("he\u0301le\u0300ne@example.org".encode(), "Hélène"),
    ],
)
async def test_the_whole_address_comes_before_its_local_part(given: Given, address: bytes, name: str) -> None:
    for other in ("ada", "ada@example.org", "Hélène"):
        await given.add(other)
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, address)
        client.send(RAW + b".\r\n")
        await client.line()
    assert await messages(await given.account(name)) == [RAW]


@pytest.mark.parametrize(
    ("local", "mailbox"),
    [
        (b"linda", "INBOX"),
        (b"linda+", "INBOX"),
        (b"linda+inbox", "INBOX"),
        (b"linda+Lists", "Lists"),
        (b"linda+lists", "Lists"),
        (b"linda+Lists/Python", "Lists/Python"),
        (b"linda+LISTS/python", "Lists/Python"),
        (b"linda+Two", "Two"),
        (b"linda+two", "two"),
        (b"linda+TWO", "INBOX"),
        (b"linda+nowhere", "INBOX"),
        (b"linda+Lists/nowhere", "INBOX"),
        (b'"linda+Old Mail"', "Old Mail"),
        (b"linda+a+b", "a+b"),
        ("linda+cafe\u0301".encode(), "Café"),
        (b"linda+../../etc/passwd", "INBOX"),
    ],
)
async def test_a_detail_names_a_folder(given: Given, local: bytes, mailbox: str) -> None:
    account = await given.account()
    for name in ("Lists", "Lists/Python", "Two", "two", "Old Mail", "a+b", "Café"):
        await account.create(name)
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, local + b"@example.org")
        client.send(RAW + b".\r\n")
        assert (await client.line()).startswith(b"250 ")
    assert await messages(account, mailbox) == [RAW]


async def test_a_name_that_cannot_be_selected_takes_no_mail(given: Given) -> None:
    account = await given.account()
    await account.create("Level/Below")
    await account.delete("Level")
    assert not next(mailbox for mailbox in await account.mailboxes() if mailbox.name == "Level").selectable
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda+Level@example.org")
        client.send(RAW + b".\r\n")
        assert (await client.line()).startswith(b"250 ")
    assert await messages(account) == [RAW]


async def test_one_reply_for_each_recipient_and_one_copy_for_each_mailbox(given: Given) -> None:
    ada = await given.add("ada")
    linda = await given.account()
    await linda.create("Lists")
    recipients = (b"linda", b"ada@example.org", b"linda@example.org", b"linda+Lists", b"linda+nowhere")
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, *recipients)
        client.send(RAW + b".\r\n")
        for recipient in recipients:
            assert await client.line() == b"250 2.0.0 <" + recipient + b"> Saved"
    assert await messages(linda) == [RAW]
    assert await messages(linda, "Lists") == [RAW]
    assert await messages(ada) == [RAW]
    assert given.services.tally.messages == 3


async def test_an_account_that_goes_between_rcpt_and_data_fails_alone(given: Given) -> None:
    await given.add("ada")
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"ada", b"linda")
        await given.services.store.directory.remove("ada")
        client.send(RAW + b".\r\n")
        assert (await client.line()).startswith(b"451 4.3.0 ")
        assert (await client.line()).startswith(b"250 2.0.0 ")
    assert await messages(await given.account()) == [RAW]


async def test_too_many_recipients(given: Given) -> None:
    async with Dialogue(LmtpSession, given.limited(lmtp_recipients=2)) as client:
        await client.line()
        client.send(b"LHLO there\r\nMAIL FROM:<>\r\n")
        await client.until(b"250 2.1.0 Sender accepted\r\n")
        assert (await client.ask(b"RCPT TO:<linda>")).startswith(b"250 ")
        assert (await client.ask(b"RCPT TO:<nobody>")).startswith(b"550 5.1.1 ")
        assert (await client.ask(b"RCPT TO:<linda@example.org>")).startswith(b"250 ")
        assert (await client.ask(b"RCPT TO:<linda>")).startswith(b"452 4.5.3 ")
        assert (await client.ask(b"DATA")).startswith(b"354 ")
        client.send(RAW + b".\r\nNOOP\r\n")
        assert [reply[:3] for reply in await client.lines(3)] == [b"250"] * 3
    assert await messages(await given.account()) == [RAW]


async def test_a_client_that_disconnects_in_the_middle_delivers_nothing(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda")
        client.send(RAW)
        await client.taken()
        client.peer.end()
        assert await client.rest() == b""
    assert await messages(await given.account()) == []


async def test_silence_in_the_middle_delivers_nothing(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda")
        client.send(RAW)
        await client.taken()
        client.clock.advance(given.services.limits.idle_seconds)
        assert (await client.rest()).startswith(b"421 4.4.2 mx.example.org ")
    assert await messages(await given.account()) == []


async def test_silence_between_commands(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        await client.line()
        await client.taken()
        client.clock.advance(given.services.limits.idle_seconds)
        assert (await client.rest()).startswith(b"421 4.4.2 mx.example.org Idle")


async def test_a_server_that_stops(given: Given) -> None:
    async with Dialogue(LmtpSession, given.services) as client:
        await client.line()
        client.peer.stop()
        assert (await client.rest()).startswith(b"421 4.4.2 mx.example.org Shutting down")


async def test_too_many_mistakes(given: Given) -> None:
    async with Dialogue(LmtpSession, given.limited(bad_commands=3)) as client:
        await client.line()
        client.send(b"what\r\n" * 5)
        replies = (await client.rest()).splitlines()
    assert [reply[:3] for reply in replies] == [b"500", b"500", b"500", b"421"]


async def test_a_line_that_is_too_long(given: Given) -> None:
    async with Dialogue(LmtpSession, given.limited(login_line_bytes=100)) as client:
        await client.line()
        assert (await client.ask(b"LHLO " + b"x" * 5000)).startswith(b"500 5.5.2 A line may have at most 100")
        assert (await client.ask(b"NOOP")).startswith(b"250 ")


async def test_data_is_not_bound_to_the_length_of_a_line(given: Given) -> None:
    raw = b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n"
    async with Dialogue(LmtpSession, given.limited(login_line_bytes=100)) as client:
        await _begin(client, b"linda")
        client.send(raw + b".\r\n")
        assert (await client.line()).startswith(b"250 ")
    assert await messages(await given.account()) == [raw]


async def test_a_bug_is_answered_for_each_recipient_and_the_session_goes_on(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(raw: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mektup.delivery.deliver.prepare_in_turn", broken)
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda", b"linda@example.org")
        client.send(RAW + b".\r\nNOOP\r\n")
        for reply in await client.lines(2):
            assert reply == b"451 4.3.0 Internal error, session s1"
        assert (await client.line()).startswith(b"250 ")
    assert given.events == ["command_failed"]
    assert given.services.tally.bugs == 1


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (b"ada+work@example.org", "ada+work@example.org"),
        (b"ADA+WORK@EXAMPLE.ORG", "ada+work@example.org"),
        (b'"ada+work"@example.org', "ada+work@example.org"),
        (b'"ada\\+work"@example.org', "ada+work@example.org"),
        (b"<@relay.example:ada+work@example.org>"[1:-1], "ada+work@example.org"),
        (b"ada+work+x@example.org", "ada+work@example.org"),
        (b"ada+work+@example.org", "ada+work@example.org"),
        (b"ada+other@example.org", "ada@example.org"),
        (b"ada+work@example.com", "ada"),
        (b"ada+@example.org", "ada@example.org"),
        (b"ada++work@example.org", "ada@example.org"),
        (b"plus+only@example.org", "plus+only"),
        (b"plus+only", "plus+only"),
        (b"plus+only+x@example.org", "plus+only"),
        (b"+@example.org", "+"),
        (b"++x@example.org", "+"),
        (b"ada@example.org.", "ada@example.org"),
        ("ada@b\u00fccher.example".encode(), "ada@b\u00fccher.example"),
        ("ADA@B\u00dcCHER.EXAMPLE".encode(), "ada@b\u00fccher.example"),
        (b"ada@xn--bcher-kva.example", "ada@b\u00fccher.example"),
        (b"ada+x@XN--BCHER-KVA.example.", "ada@b\u00fccher.example"),
        ("eve@b\u00fccher.example".encode(), "eve@xn--bcher-kva.example"),
        ("EVE@B\u00dcCHER.example".encode(), "eve@xn--bcher-kva.example"),
        (b"ada@[IPv6:2001:db8::1]", "ada"),
    ],
)
async def test_addresses_of_accounts(given: Given, address: bytes, name: str) -> None:
    names = ("ada", "ada@example.org", "ada+work@example.org", "plus+only", "+", "ada@bücher.example")
    for other in (*names, "eve@xn--bcher-kva.example"):
        await given.add(other)
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, address)
        client.send(RAW + b".\r\n")
        await client.line()
    assert await messages(await given.account(name)) == [RAW]


@pytest.mark.parametrize(
    "address",
    [
        b"plus@example.org",
        b'"eve@example.org"@example.org',
        b'"eve@example.org"',
        b"eve@example.com",
        b"eve@xn--",
        b"eve@xn--\x7e",
        b"eve@xn--bcher-kva\xc3\xbc.example",
        b"eve@" + b"xn--" + b"9" * 5000,
        b"eve" + b"+" * 7000,
        b"eve@" + "ü".encode() * 3000,
        b"@",
    ],
)
async def test_addresses_of_no_account(given: Given, address: bytes) -> None:
    for other in ("plus+only", "eve@example.org"):
        await given.add(other)
    async with Dialogue(LmtpSession, given.services) as client:
        await client.line()
        client.send(b"LHLO there\r\nMAIL FROM:<>\r\n")
        await client.until(b"250 2.1.0 Sender accepted\r\n")
        assert (await client.ask(b"RCPT TO:<" + address + b">"))[:3] in (b"550", b"501")
    assert set(given.events) <= {"delivery_refused"}


async def test_a_detail_names_no_folder_if_detail_folders_is_off(given: Given) -> None:
    services = replace(given.services, delivery=DeliveryRules(detail_folders=False))
    account = await given.account()
    async with Dialogue(LmtpSession, services) as client:
        await _begin(client, b"linda+Archive@example.org")
        client.send(RAW + b".\r\n")
        await client.line()
    assert await messages(account) == [RAW]
    assert await messages(account, "Archive") == []


async def test_recipients_of_one_message_get_the_same_octets(given: Given) -> None:
    accounts = [await given.account(), await given.add("ada")]
    async with Dialogue(LmtpSession, given.services) as client:
        await _begin(client, b"linda", b"ada")
        client.send(RAW + b".\r\n")
        await client.lines(2)
    (linda,), (ada,) = [await stored(account) for account in accounts]
    assert linda == ada
    assert untraced(linda) == RAW
