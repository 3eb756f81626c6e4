"""Logging in: the messages of SASL, passwords before they are compared, hashes, and files of passwords."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterator

from mektup.auth import schemes, scram_keys
from mektup.auth.gate import comparable
from mektup.auth.mechanisms import MECHANISMS
from mektup.auth.oauth.rules import OAuthRules, TokenRefused
from mektup.auth.preparation import opaque_string, saslprep
from mektup.auth.sasl import Complaints, Exchange, converse, initial_response
from mektup.cli import passwd_file
from mektup.cli.passwd_file import PasswdFileError
from mektup.store.interface import AccountEntry
from mektup.terms.account_names import require_account_name, shown
from mektup.terms.errors import ClientError, Refused
from mektup.terms.numbers import AccountId
from mektup.terms.texts import Text
from reliability.fuzz.quick_gate import quick_gate
from reliability.fuzz.target import Target, require, same
from tests.support.memory import Clock, MemoryPeer

NAME, PASSWORD, TOKEN = "linda", "Pa$$123", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

COMPLAINTS = Complaints(Text("cancelled"), Text("not base64"))


class Accounts:
    """A directory with one account."""

    entry = AccountEntry(
        AccountId("a"),
        NAME,
        {"password": "{PLAIN}" + PASSWORD}
        | {kind.mechanism: scram_keys.make(PASSWORD, kind) for kind in scram_keys.KINDS},
    )

    async def find(self, name: str) -> AccountEntry | None:
        """linda, or None."""
        return self.entry if name == NAME else None


class OneToken:
    """Believes one token."""

    rules = OAuthRules(issuer="https://example.org", jwks="/jwks", audience="mail", scope="mail")

    async def user_of(self, token: str) -> str:
        """linda, for the token."""
        if token != TOKEN:
            raise TokenRefused("another token")
        return NAME


def exchange(octets: bytes) -> None:
    """Each mechanism with the lines in *octets*: an account, but only for the right password or token, or a refusal."""
    gate = quick_gate(Accounts())
    gate.tokens = OneToken()
    peer = MemoryPeer(Clock(), secure=True, by_octet=False)
    for mechanism in MECHANISMS:
        if mechanism.name != "EXTERNAL":
            for encoded in (False, True):
                _converse(mechanism.begin(gate, peer, ()), octets, encoded=encoded)


def said(octets: bytes) -> Iterator[bytes]:
    """The lines of *octets*, and what they are in base64."""
    for line in octets.split(b"\n"):
        yield line
        try:
            yield a2b_base64(line)
        except Error:
            pass


def _converse(mechanism: Exchange, octets: bytes, *, encoded: bool) -> None:
    first, *lines = octets.split(b"\n")
    left = [b2a_base64(line, newline=False) if encoded else line for line in reversed(lines)]
    asked: list[bytes] = []

    async def ask(challenge: bytes) -> bytes:
        asked.append(challenge)
        if not left:
            raise ClientError(Text("no more"))
        return left.pop()

    try:
        initial = first if encoded else initial_response(first, COMPLAINTS)
        running = converse(mechanism, initial or None, ask, COMPLAINTS)
        try:
            running.send(None)
        except StopIteration as ended:
            entry = ended.value
            require(isinstance(entry, AccountEntry), "no account")
            require(
                any(proof.encode() in each for each in said(octets) for proof in (PASSWORD, TOKEN)),
                "entered for nothing",
            )
        else:
            require(False, "the exchange waits for something else than the client")
    except (ClientError, Refused):
        pass


def prepared(octets: bytes) -> None:
    """Passwords and names are prepared, or refused; the second time nothing changes."""
    once = opaque_string(octets)
    if once is not None:
        same(opaque_string(once.encode()), once, "preparing twice")
    text = octets.decode("utf-8", "replace")
    again = saslprep(text)
    if again is not None:
        saslprep(again)
    comparable(octets)
    shown(text).encode()
    require(shown(text).isprintable(), "a name is not printable")
    try:
        require_account_name(text)
    except Refused:
        return
    require("/" not in text and "\0" not in text and text not in (".", ".."), f"an account may be called {text!r}")


def hashes(octets: bytes) -> None:
    """A stored secret is taken or refused; one that is taken can be checked, and keeps its form."""
    secret = octets.decode("utf-8", "replace")
    scram_keys.read(secret)
    try:
        kept = schemes.canonical(secret)
    except Refused as refusal:
        require(str(refusal).isprintable(), "a text for the operator is not printable")
        return
    same(schemes.canonical(kept), kept, "the canonical form of a canonical form")
    keys = schemes.scram_keys_of(kept)
    if keys is not None:
        same(scram_keys.read(scram_keys.written(keys)), keys, "keys change when they are written")
    if kept.startswith(QUICK):
        schemes.matches(PASSWORD, kept)


QUICK = tuple(
    f"{{{name}}}" for name in ("PLAIN", "SHA", "SSHA", "SHA256", "SSHA256", "SHA512", "SSHA512", "LDAP-MD5", "SMD5")
)
"""Schemes that are checked at once; the others take long on purpose."""


def passwd(octets: bytes) -> None:
    """A passwd-file: each line is an account, or refused."""
    for number, line in passwd_file.numbered(octets):
        try:
            account = passwd_file.account(number, line)
        except PasswdFileError as error:
            require(str(error).isprintable(), "a text for the operator is not printable")
            continue
        require(account.name and "\n" not in account.secret, "no name, or a line end in a secret")


_SECRETS = (
    b"{PLAIN}secret",
    b"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    b"{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9gxMjM0",
    b"{SHA256.HEX}5e88",
    b"{LDAP-MD5}X03MO1qnZdYdgyfeuILPmQ==",
    b"{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99",
    b"{CRYPT}$6$abc$def",
    b"{SHA512-CRYPT}$6$rounds=5000$salt$hash",
    b"{MD5-CRYPT}$1$salt$hash",
    b"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuv",
    b"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
    b"{PBKDF2}$1$salt$1000$5e88",
    b"$5$salt$hash",
    b"{SCRAM-SHA-256}4096,c2FsdA==,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
)

TARGETS = (
    Target(
        "sasl",
        "SASL: PLAIN, LOGIN, SCRAM, OAUTHBEARER, XOAUTH2",
        exchange,
        lambda: (
            b"\0linda\0Pa$$123",
            b"linda\0linda\0Pa$$123",
            b"\nAGxpbmRhAFBhJCQxMjM=",
            b"\nbGluZGE=\nUGEkJDEyMw==",
            b"linda\nPa$$123",
            b"n,,n=linda,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=\n",
            b"y,a=linda,n=linda,r=abc\n*",
            b"p=tls-unique,,n=linda,r=abc",
            b"p=tls-server-end-point,,n=linda,r=abc\nc=cD10bHMtc2VydmVyLWVuZC1wb2ludCws,r=abc,p=dHzb",
            b"n,a=linda,\x01host=mail\x01port=143\x01auth=Bearer %b\x01\x01" % TOKEN.encode(),
            b"\n" + b2a_base64(b"n,,\x01auth=Bearer %b\x01\x01" % TOKEN.encode()),
            b"user=linda\x01auth=Bearer %b\x01\x01\n" % TOKEN.encode(),
            b"=",
            b"*",
        ),
        (
            b"\0",
            b"\n",
            b"n,,",
            b"n=",
            b",r=",
            b"a=",
            b"=2C",
            b"=3D",
            b"c=biws",
            b",p=",
            b"linda",
            b"Pa$$123",
            b"=",
            b"*",
            b",",
            b"y,",
            b"m=",
            b"\x01",
            b"\x01auth=Bearer ",
            b"user=",
            b"p=tls-server-end-point",
        ),
        (
            (b"", b""),
            (b"n,,n=a,r=", b""),
            (b"n,,n=", b",r=a"),
            (b"n,,n=a,r=a\nc=", b""),
            (b"\0", b"\0a"),
            (b"n,,\x01a=", b"\x01\x01"),
        ),
        longest=600,
        largest=8192,
    ),
    Target(
        "passwords",
        "preparation of passwords and names",
        prepared,
        lambda: (
            b"Pa$$123",
            b"\xc3\xa9",
            b"e\xcc\x81",
            b"\xe2\x84\xab",
            b"\xd8\xa7",
            b"a\xc2\xa0b",
            b"\xef\xbc\xa1",
            b"\0",
            b"../x",
            b"I\xcc\x87",
            "ıİşŞ".encode(),
        ),
        (b"\xcc\x81", b"\xe2\x80\x8f", b"\xd8\xa71", b"\xc2\xad", b"\xef\xb7\xba", b"/", b".", b"@", b"+"),
        longest=300,
    ),
    Target(
        "hashes",
        "hashes of passwords",
        hashes,
        lambda: _SECRETS,
        (
            b"{",
            b"}",
            b"$",
            b"rounds=",
            b"=",
            b",",
            b".HEX",
            b".B64",
            b"{PLAIN}",
            b"{CRYPT}",
            b"$6$",
            b"$argon2id$",
            b"m=",
            b"t=",
            b"p=",
            b"v=19",
        ),
        (
            (b"", b""),
            (b"{SHA}", b""),
            (b"{SHA512-CRYPT}$6$", b""),
            (b"{ARGON2ID}$argon2id$", b""),
            (b"{SCRAM-SHA-256}", b""),
            (b"{PBKDF2}$1$", b""),
            (b"{BLF-CRYPT}$2y$", b""),
        ),
        longest=300,
        largest=16 * 1024,
    ),
    Target(
        "passwd",
        "files of passwords",
        passwd,
        lambda: (
            b"\n".join(b"user%d:%b" % (at, secret) for at, secret in enumerate(_SECRETS)),
            b"\xef\xbb\xbfa:{PLAIN}b:1:1::/home\r\n# c\n\n",
            b"a:{PLAIN}b:c::::::",
            b"a:$1$x$y:1000:1000:a:/home/a:/bin/sh",
        ),
        (b":", b"\n", b"#", b"{PLAIN}", b"\r\n", b"::::", b"1000", *_SECRETS),
        ((b"", b""), (b"a:{PLAIN}", b"")),
        longest=600,
    ),
)
