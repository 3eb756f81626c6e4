"""Address lists, whole and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.addresses import GROUP_END, Address, parse_addresses


def address(mailbox: str, host: str, name: str | None = None, route: str | None = None) -> Address:
    return Address(
        name.encode() if name is not None else None,
        route.encode() if route is not None else None,
        mailbox.encode(),
        host.encode(),
    )


def group(name: str, *members: Address) -> list[Address]:
    return [Address(None, None, name.encode(), None), *members, GROUP_END]


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("", []),
        (" \t", []),
        ("ann@example.org", [address("ann", "example.org")]),
        ("<ann@example.org>", [address("ann", "example.org")]),
        ("Ann <ann@example.org>", [address("ann", "example.org", "Ann")]),
        ('"Demir, Ayşe" <a@b>', [address("a", "b", "Demir, Ayşe")]),
        ('"Q \\"uote\\"" <a@b>', [address("a", "b", 'Q "uote"')]),
        ("a@b, Bo <c@d>,\t<e@f>", [address("a", "b"), address("c", "d", "Bo"), address("e", "f")]),
        ("=?utf-8?q?Ay=C5=9Fe?= Demir <a@b>", [address("a", "b", "=?utf-8?q?Ay=C5=9Fe?= Demir")]),
        ("ayşe@örnek.example", [address("ayşe", "örnek.example")]),
        ('Ann "Bo" B. Cee <a@b>', [address("a", "b", "Ann Bo B. Cee")]),
        ("Ann   Bo <a@b>", [address("a", "b", "Ann Bo")]),
        ("Ann (the boss) <a@b>", [address("a", "b", "Ann")]),
        ("(before) a@b (Ann (Bo))", [address("a", "b", "Ann (Bo)")]),
        ("(only) a@b", [address("a", "b")]),
        ('"a b"@c', [address("a b", "c")]),
        ("a@[192.0.2.1]", [address("a", "[192.0.2.1]")]),
        ("a@[IPv6:2001:db8::1] (x)", [address("a", "[IPv6:2001:db8::1]", "x")]),
        ("<@a,@b:c@d>", [address("c", "d", None, "@a,@b")]),
        ("Ann <@a:c@d>", [address("c", "d", "Ann", "@a")]),
        ("a . b @ c . d", [address("a.b", "c.d")]),
        ("friends:;", group("friends")),
        ("undisclosed recipients:;", group("undisclosed recipients")),
        (
            "friends: a@b, Bo <c@d>;, e@f",
            [*group("friends", address("a", "b"), address("c", "d", "Bo")), address("e", "f")],
        ),
        # RFC 5322 §4.4, obs-addr-list
        (",a@b,,c@d,", [address("a", "b"), address("c", "d")]),
    ],
)
def test_addresses_are_read(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("ann", [address("ann", "MISSING_DOMAIN")]),
        ("Ann Bo", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann Bo")]),
        ('"ann"', [address("MISSING_MAILBOX", "MISSING_DOMAIN", "ann")]),
        ("@example.org", [address("MISSING_MAILBOX", "example.org")]),
        ("Ann <>", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann")]),
        ("Ann Bo@c", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann Bo")]),
        ("<ann>", [address("ann", "MISSING_DOMAIN")]),
        ("<ann@>", [address("ann", "SYNTAX_ERROR")]),
        ("<mailto:a@b>", [address("mailto", "SYNTAX_ERROR")]),
        ("<a@b", [address("a", "SYNTAX_ERROR")]),
        ("a@b c@d", [address("a", "b")]),
        ("a@b; c@d", [address("a", "b")]),
        ("a@b (unclosed", [address("a", "MISSING_DOMAIN")]),
        ('"unclosed <a@b>', [address("MISSING_MAILBOX", "MISSING_DOMAIN")]),
        ("friends: a@b", group("friends", address("a", "b"))),
        ("friends:", group("friends")),
        ("friends: a@b, (unclosed", group("friends", address("a", "b"))),
        (";", [address("MISSING_MAILBOX", "MISSING_DOMAIN")]),
        (".ann <a@b>", [address(".ann", "MISSING_DOMAIN")]),
        ("a@b, (unclosed", [address("a", "b")]),
    ],
)
def test_what_is_broken_still_yields_addresses(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


@pytest.mark.parametrize("one", [b"a@b,", b'"a"@b,', b"Ann <a@b>,", b"g: a@b;,"])
def test_so_many_addresses_and_hardly_more(one: bytes) -> None:
    assert 10 <= len(parse_addresses(one * 100, 10)) <= 13


def test_comments_without_end_are_given_up() -> None:
    assert parse_addresses(b"a@b, " + b"()" * 100_000 + b"c@d", 10) == [address("a", "b")]


PIECES = st.sampled_from(
    [
        b"a",
        b"b.c",
        b"@",
        b"<",
        b">",
        b",",
        b";",
        b":",
        b".",
        b'"',
        b"\\",
        b"(",
        b")",
        b" ",
        b"\t",
        b"[",
        b"]",
        b"\xc5\x9f",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_nothing_is_raised_and_every_address_has_a_mailbox_and_a_host(value: bytes) -> None:
    depth = 0
    for each in parse_addresses(value, 1000):
        if each.host is None:
            depth += 1 if each.mailbox is not None else -1
            assert each.name is None
            assert each.route is None
        else:
            assert each.mailbox
            assert each.host
        assert depth in (0, 1), "groups do not nest"
    assert depth == 0, "each group ends"
