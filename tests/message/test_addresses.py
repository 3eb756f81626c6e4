"""Address lists, valid and broken."""

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
        # RFC 5322 §4.4, obs-local-part
        ('"a".b@c', [address("a.b", "c")]),
        ('a."b"@c, k@c', [address("a.b", "c"), address("k", "c")]),
        ('Ann <1.2.JavaMail."cv@n"@c>, k@c', [address("1.2.JavaMail.cv@n", "c", "Ann"), address("k", "c")]),
        ('"a" (x) . "b c" . d@e', [address("a.b c.d", "e", "x")]),
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
        ('"Ann". Bo', [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann . Bo")]),
        ('ann."unclosed@b', [address("ann.", "MISSING_DOMAIN")]),
        ("@example.org", [address("MISSING_MAILBOX", "example.org")]),
        ("Ann <>", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann")]),
        ("Ann Bo@c", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "Ann Bo")]),
        ("<ann>", [address("ann", "MISSING_DOMAIN")]),
        ("<ann@>", [address("ann", "SYNTAX_ERROR")]),
        ("<mailto:a@b>", [address("mailto", "SYNTAX_ERROR")]),
        ("<a@b", [address("a", "SYNTAX_ERROR")]),
        ("a@b c@d", [address("a", "b")]),
        ("a@b (unclosed", [address("a", "b")]),
        ("friends: a@b", group("friends", address("a", "b"))),
        ("friends:", group("friends")),
        ("friends: a@b, (unclosed", group("friends", address("a", "b"))),
        ("a@b, (unclosed", [address("a", "b")]),
        ("a@b <>", [address("a", "b")]),
    ],
)
def test_broken_lists_still_give_addresses(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("real.name@corp.example <no-reply@b>", [address("no-reply", "b", "real.name@corp.example")]),
        ("Me @ Work <j@b>, k@b", [address("j", "b", "Me @ Work"), address("k", "b")]),
        ("J. Doe [Org] <j@b>, k@b", [address("j", "b", "J. Doe [Org]"), address("k", "b")]),
        (".ann <a@b>", [address("a", "b", ".ann")]),
        ("(a) Me @ Work (b) <j@b>", [address("j", "b", "Me @ Work")]),
        ('"Foo" bar@c <a@b>', [address("a", "b", "Foo bar@c")]),
        ("a@[IPv6:1::2] <c@d>", [address("c", "d", "a@[IPv6:1::2]")]),
        ("a\\@b <c@d>", [address("c", "d", "a\\@b")]),
        ('"unclosed <a@b>, c@d', [address("a", "b", "unclosed"), address("c", "d")]),
        ("Ann (unclosed <a@b>, c@d (Cy)", [address("a", "b", "Ann (unclosed"), address("c", "d")]),
        ('<"a>b"@c> x, e@f', [address("a>b", "c"), address("e", "f")]),
    ],
)
def test_text_in_angles_is_the_address_and_text_before_it_the_name(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("j@@b, k@b", [address("j", "MISSING_DOMAIN"), address("k", "b")]),
        ("foo bar@b, k@b", [address("MISSING_MAILBOX", "MISSING_DOMAIN", "foo bar"), address("k", "b")]),
        ("a@[1] junk, k@b", [address("a", "[1]"), address("k", "b")]),
        ("a@b (unclosed, k@b", [address("a", "b"), address("k", "b")]),
        ('a@b "x, y" (z, w) <>, k@b', [address("a", "b"), address("k", "b")]),
        ("<a@b, k@b", [address("a", "SYNTAX_ERROR"), address("k", "b")]),
        ("Ann <a@b> <c@d> Bo <e@f>", [address("a", "b", "Ann"), address("c", "d"), address("e", "f", "Bo")]),
        ("Ann <a@b> x: y, k@b", [address("a", "b", "Ann"), address("k", "b")]),
        ("g: j@@b, k@b;, a@b", [*group("g", address("j", "MISSING_DOMAIN"), address("k", "b")), address("a", "b")]),
        ("g: x: <a@b>, k@b", group("g", address("a", "b", "x:"), address("k", "b"))),
        ("Me @ Work: a@b, k@b;", group("Me @ Work", address("a", "b"), address("k", "b"))),
    ],
)
def test_the_list_goes_on_after_unreadable_text(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("a@b; c@d", [address("a", "b"), address("c", "d")]),
        ("Ann <a@b>; Bo <c@d>;", [address("a", "b", "Ann"), address("c", "d", "Bo")]),
        ("Ann; Bo <a@b>", [address("Ann", "MISSING_DOMAIN"), address("a", "b", "Bo")]),
        ('"Ann; Bo" <a@b>, c@d (e; f)', [address("a", "b", "Ann; Bo"), address("c", "d", "e; f")]),
        ("g: a@b; c@d; h:; e@f", [*group("g", address("a", "b")), address("c", "d"), *group("h"), address("e", "f")]),
        (";,;", []),
    ],
)
def test_a_semicolon_outside_of_a_group_separates_addresses(value: str, addresses: list[Address]) -> None:
    assert parse_addresses(value.encode(), 100) == addresses


def test_runs_of_white_space_in_names_are_one_space() -> None:
    name = [address("a", "b", "Ann Bee")]
    for value in (b'"Ann \t Bee" <a@b>', b"Ann\t Bee <a@b>", b"a@b (Ann\tBee)", b"Ann  Bee\t@ <a@b>"):
        assert parse_addresses(value, 10)[0].name in (b"Ann Bee", b"Ann Bee @")
    assert parse_addresses(b'"Ann \t Bee" <a@b>', 10) == name


@pytest.mark.parametrize("one", [b"a@b,", b'"a"@b,', b"Ann <a@b>,", b"g: a@b;,"])
def test_the_number_of_addresses_is_limited(one: bytes) -> None:
    assert 10 <= len(parse_addresses(one * 100, 10)) <= 13


def test_comments_without_end_are_ordinary_text() -> None:
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
def test_any_octets_are_parsed_and_every_address_has_a_mailbox_and_a_host(value: bytes) -> None:
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


@pytest.mark.parametrize(("value", "name"), [(b"a@b ()", None), (b"a@b ( )", None), (b"a@b ( Ann\t Bee )", b"Ann Bee")])
def test_a_comment_that_is_not_empty_names_an_address(value: bytes, name: bytes | None) -> None:
    assert parse_addresses(value, 10) == [Address(name, None, b"a", b"b")]
