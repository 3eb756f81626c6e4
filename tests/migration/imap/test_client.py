"""The connection and the login: what is not safe is not done, and each failure says what happened."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from mektup import Server
from mektup.migration.imap.client import Client
from mektup.migration.imap.errors import CommandRefused, LoginRefused, Lost, NotUnderstood, Untrusted
from mektup.migration.imap.login import Credentials, Mechanism
from mektup.migration.imap.mailboxes import MailboxState, ServerMailbox, read_access_list, read_mailboxes, read_quota
from mektup.migration.imap.stream import Address, Security
from mektup.server import self_signed
from mektup.store.spool import Spool
from mektup.terms.limits import DEFAULT_LIMITS
from tests.migration.imap.scripted import CLOSE, LINDA, scripted


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> self_signed.Pair:
    return self_signed.pair_under(tmp_path_factory.mktemp("tls"), "localhost")


def at(server: Server, security: Security, ca_file: Path | None = None, *, insecure: bool = False) -> Address:
    return Address(
        "127.0.0.1", server.port("imaps" if security is Security.TLS else "imap"), security, ca_file, insecure
    )


async def connected(address: Address, credentials: Credentials = LINDA) -> Client:
    client = Client(address, Spool, patience=20)
    try:
        await client.connect(credentials)
    except BaseException:
        await client.close()
        raise
    return client


# TLS, against this server


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_an_own_certificate_is_trusted_by_its_file(pair: self_signed.Pair, security: Security) -> None:
    async with Server(users={"linda": "Pa$$123"}, cert=pair.cert, key=pair.key) as server:
        async with await connected(at(server, security, pair.cert)) as client:
            assert "IMAP4REV2" in client.capabilities


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_certificate_that_nobody_vouches_for_is_refused(pair: self_signed.Pair, security: Security) -> None:
    async with Server(users={"linda": "Pa$$123"}, cert=pair.cert, key=pair.key) as server:
        with pytest.raises(Untrusted, match="did not prove its name"):
            await connected(at(server, security))
        async with await connected(at(server, security, insecure=True)) as client:
            assert client.capabilities


async def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    for file in (empty, tmp_path / "missing.pem"):
        with pytest.raises(Untrusted, match=file.name):
            await connected(Address("127.0.0.1", 1, Security.TLS, file))


async def test_a_password_is_not_sent_in_the_clear() -> None:
    async with scripted() as script:
        with pytest.raises(Untrusted, match="in the clear"):
            await connected(Address("127.0.0.1", script.port, Security.NONE))
        assert script.commands == ["CAPABILITY"]


async def test_a_server_without_starttls_gets_no_password() -> None:
    async with scripted() as script:
        with pytest.raises(Untrusted, match="STARTTLS"):
            await connected(Address("127.0.0.1", script.port, Security.STARTTLS))
        assert script.count("LOGIN") == 0


async def test_octets_before_the_encryption_begins_are_refused() -> None:
    capability = b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%s OK done\r\n"
    async with scripted(CAPABILITY=capability, STARTTLS=b"%s OK begin\r\n* OK injected\r\n") as script:
        with pytest.raises(NotUnderstood, match="before the encryption"):
            await connected(Address("127.0.0.1", script.port, Security.STARTTLS))


async def test_a_greeting_that_says_logged_in_does_not_avoid_the_encryption() -> None:
    async with scripted() as script:
        script.greeting = b"* PREAUTH welcome\r\n"
        with pytest.raises(Untrusted):
            await connected(Address("127.0.0.1", script.port, Security.STARTTLS))


async def test_a_port_where_nothing_listens() -> None:
    async with scripted() as script:
        address = script.address
    with pytest.raises(Lost, match=f"127.0.0.1:{address.port}"):
        await connected(address)


async def test_a_server_that_speaks_tls_and_a_client_that_does_not(pair: self_signed.Pair) -> None:
    async with Server(users={"linda": "Pa$$123"}, cert=pair.cert, key=pair.key) as server:
        with pytest.raises(Lost):
            await connected(Address("127.0.0.1", server.port("imap"), Security.TLS, pair.cert))


async def test_what_is_no_imap_server_is_said() -> None:
    async with scripted() as script:
        script.greeting = b"220 mail.example.org ESMTP\r\n"
        with pytest.raises(NotUnderstood, match="ESMTP"):
            await connected(script.address)


async def test_a_server_that_says_nothing_is_left() -> None:
    async with scripted(CAPABILITY=b"") as script:
        client = Client(script.address, Spool, patience=0.05)
        with pytest.raises(Lost, match="did not answer"):
            await client.connect(LINDA)
        await client.close()


# Logins, against this server


@pytest.mark.parametrize("mechanism", [Mechanism.LOGIN, Mechanism.PLAIN, Mechanism.SCRAM_SHA_256, None])
@pytest.mark.parametrize("password", ["Pa$$123", 'quo"te\\', "şifre"])
async def test_each_mechanism_with_a_password(mechanism: Mechanism | None, password: str) -> None:
    async with Server(users={"linda": password}) as server:
        credentials = Credentials("linda", password=password, mechanism=mechanism)
        async with await connected(at(server, Security.NONE, insecure=True), credentials) as client:
            assert await read_mailboxes(client, DEFAULT_LIMITS)


@pytest.mark.parametrize("mechanism", [Mechanism.LOGIN, Mechanism.PLAIN, Mechanism.SCRAM_SHA_256, None])
async def test_a_wrong_password_is_said_with_the_servers_words(mechanism: Mechanism | None) -> None:
    async with Server(users={"linda": "Pa$$123"}) as server:
        credentials = Credentials("linda", password="wrong", mechanism=mechanism)
        with pytest.raises(LoginRefused, match="does not let linda in"):
            await connected(at(server, Security.NONE, insecure=True), credentials)


async def test_a_mechanism_that_is_not_offered_is_said() -> None:
    async with scripted() as script:
        with pytest.raises(LoginRefused, match="PLAIN"):
            await connected(script.address, Credentials("linda", password="x", mechanism=Mechanism.PLAIN))
        with pytest.raises(LoginRefused, match="no login that fits"):
            await connected(script.address, Credentials("linda", token="x"))


def offering(*mechanisms: str) -> bytes:
    names = " ".join(f"AUTH={each}" for each in mechanisms)
    return b"* CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED " + names.encode() + b"\r\n%s OK done\r\n"


def said(command: str) -> bytes:
    return b64decode(command.split()[2])


async def test_a_master_user_logs_in_for_another() -> None:
    async with scripted(CAPABILITY=offering("PLAIN"), AUTHENTICATE=b"%s OK welcome\r\n") as script:
        async with await connected(script.address, Credentials("linda", password="secret", master="admin")):
            pass
        [command] = [each for each in script.commands if each.startswith("AUTHENTICATE")]
    assert said(command) == b"linda\0admin\0secret"


async def test_a_token_goes_by_oauthbearer_or_xoauth2() -> None:
    async with scripted(AUTHENTICATE=b"%s OK welcome\r\n") as script:
        for offered in ("OAUTHBEARER", "XOAUTH2"):
            script.answers["CAPABILITY"] = offering(offered, "PLAIN")
            async with await connected(script.address, Credentials("linda", token="t0ken")):
                pass
        bearer, other = [said(each) for each in script.commands if each.startswith("AUTHENTICATE")]
    assert bearer == b"n,a=linda,\x01host=127.0.0.1\x01port=%d\x01auth=Bearer t0ken\x01\x01" % script.port
    assert other == b"user=linda\x01auth=Bearer t0ken\x01\x01"


async def test_a_refused_token_is_acknowledged_and_said() -> None:
    error = b"+ " + b64encode(b'{"status":"401"}') + b"\r\n"
    async with scripted(CAPABILITY=offering("XOAUTH2"), AUTHENTICATE=error) as script:
        script.answers[""] = lambda command: b"m2 NO the token has expired\r\n"
        with pytest.raises(LoginRefused, match="the token has expired"):
            await connected(script.address, Credentials("linda", token="old"))


async def test_a_server_without_initial_responses() -> None:
    capability = offering("PLAIN").replace(b"SASL-IR ", b"")
    async with scripted(CAPABILITY=capability, AUTHENTICATE=b"+ \r\n") as script:
        script.answers[""] = lambda command: b"m2 OK welcome\r\n"
        async with await connected(script.address):
            pass
        assert script.commands[1] == "AUTHENTICATE PLAIN"
        # the response is a line without a tag
        assert b64encode(b"\0linda\0Pa$$123").decode() == script.tags[2]


class FakeScram:
    """A server of SCRAM that does not know the password."""

    def __init__(self, final: bytes, iterations: int = 4096) -> None:
        self.final, self.iterations = final, iterations

    def __call__(self, command: str) -> bytes:
        if command.startswith("AUTHENTICATE"):
            nonce = said(command).partition(b"r=")[2]
            first = b"r=%bserver,s=%b,i=%d" % (nonce, b64encode(b"salt"), self.iterations)
            return b"+ " + b64encode(first) + b"\r\n"
        return self.final


async def test_a_server_that_accepts_without_proof_is_not_believed() -> None:
    finals = (b"m2 OK welcome\r\n", b"+ " + b64encode(b"v=" + b64encode(b"x" * 32)) + b"\r\n")
    for final in finals:
        async with scripted(CAPABILITY=offering("SCRAM-SHA-256")) as script:
            script.answers["AUTHENTICATE"] = script.answers[""] = FakeScram(final)
            with pytest.raises(LoginRefused, match="did not prove that it knows the password"):
                await connected(script.address)


async def test_a_server_that_wants_a_weak_proof_gets_none() -> None:
    async with scripted(CAPABILITY=offering("SCRAM-SHA-256")) as script:
        script.answers["AUTHENTICATE"] = script.answers[""] = FakeScram(b"m2 OK\r\n", iterations=1)
        with pytest.raises(LoginRefused, match="too weak"):
            await connected(script.address)
        assert len(script.commands) == 2, "nothing was answered"


async def test_an_account_without_keys_of_scram_is_tried_by_plain() -> None:
    async with scripted(CAPABILITY=offering("SCRAM-SHA-256", "PLAIN")) as script:
        script.answers["AUTHENTICATE SCRAM-SHA-256"] = b"%s NO no keys\r\n"
        script.answers["AUTHENTICATE PLAIN"] = b"%s OK welcome\r\n"
        async with await connected(script.address):
            pass


# Commands


async def test_a_refused_command_has_its_code_and_leaves_the_connection() -> None:
    async with scripted(EXAMINE=b"%s NO [NONEXISTENT] no such mailbox\r\n") as script:
        async with await script.client() as client:
            with pytest.raises(CommandRefused, match="no such mailbox") as refused:
                await client.gather("EXAMINE", b"gone")
            assert refused.value.code == "NONEXISTENT"
            assert await client.gather("CAPABILITY")


async def test_bye_ends_the_session_with_its_reason() -> None:
    async with scripted(EXAMINE=b"* BYE shutting down\r\n" + CLOSE) as script:
        async with await script.client() as client:
            with pytest.raises(Lost, match="shutting down"):
                await client.gather("EXAMINE", b"INBOX")


async def test_the_answer_of_a_server_that_never_ends_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.migration.imap.client.GATHERED_BYTES", 10_000)
    flood = b'* LIST () "/" x\r\n' * 2000
    async with scripted(LIST=flood) as script:
        async with await script.client() as client:
            with pytest.raises(NotUnderstood, match="10000"):
                await client.gather("LIST", b"", b"*")


# Mailboxes


async def test_the_mailboxes_of_this_server_with_states_and_uses() -> None:
    async with Server(users={"linda": "Pa$$123"}) as server:
        entry = await server.store.directory.find("linda")
        assert entry is not None
        account = await server.store.account(entry)
        await account.create("Çalışma/2026")
        await account.unsubscribe("Junk")
        await server.deliver("linda", b"Subject: one\n\n1")
        async with await connected(at(server, Security.NONE, insecure=True)) as client:
            found = {each.name: each for each in await read_mailboxes(client, DEFAULT_LIMITS)}
            inbox = await account.mailbox("INBOX")
    assert found.keys() == {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Çalışma", "Çalışma/2026"}
    assert found["INBOX"].state == MailboxState(inbox.uidvalidity, inbox.uidnext, 1, inbox.highestmodseq)
    assert [name for name in found if found[name].special_use == "\\Sent"] == ["Sent"]
    assert (found["Junk"].is_subscribed, found["Sent"].is_subscribed) == (False, True)


async def test_a_mailbox_whose_status_is_refused_is_listed_with_the_reason() -> None:
    listed = b'* LIST () "/" good\r\n* LIST () "/" bad\r\n* LIST (\\Noselect) "/" none\r\n%s OK done\r\n'
    good = b"* STATUS good (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)\r\n%s OK done\r\n"
    async with scripted(LIST=listed, LSUB=b'* LSUB () "/" good\r\n%s OK done\r\n') as script:
        script.answers |= {'STATUS "good"': good, 'STATUS "bad"': b"%s NO broken index\r\n"}
        async with await script.client() as client:
            found = await read_mailboxes(client, DEFAULT_LIMITS)
    assert [(each.name, each.is_subscribed) for each in found] == [("good", True), ("bad", False)]
    assert found[0].state == MailboxState(7, 4, 3)
    assert "broken index" in str(found[1].problem)


async def test_access_lists_and_quota() -> None:
    capability = b"* CAPABILITY IMAP4rev1 ACL QUOTA\r\n%s OK done\r\n"
    acl = b"* ACL INBOX linda lrswipkxtea fred lr\r\n%s OK done\r\n"
    quota = b'* QUOTAROOT INBOX ""\r\n* QUOTA "" (STORAGE 10 2048 MESSAGE 3 100)\r\n%s OK done\r\n'
    async with scripted(CAPABILITY=capability, GETACL=acl, GETQUOTAROOT=quota) as script:
        async with await script.client() as client:
            inbox = ServerMailbox(b"INBOX", "INBOX", None, is_subscribed=True)
            assert await read_access_list(client, inbox) == {"linda": "lrswipkxtea", "fred": "lr"}
            assert await read_quota(client) == {"STORAGE": 2048, "MESSAGE": 100}
