"""Imported hashes are read, stored in one form, and checked; ``doveadm pw`` or crypt(3) made them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.auth import md5_crypt, scram_keys
from mektup.auth.passwords import imported_secrets
from mektup.auth.schemes import KNOWN, canonical, matches
from mektup.auth.sha_crypt import SHA256_CRYPT
from mektup.terms.errors import Code, Refused

PASSWORD = "çay Pa$$123"

FROM_DOVEADM = [
    "{PLAIN}çay Pa$$123",
    "{CLEARTEXT}çay Pa$$123",
    "{clear}çay Pa$$123",
    "{PLAIN.B64}w6dheSBQYSQkMTIz",
    "{SHA}Z6u7mce9k9CaRmC3+n9P//WkRuw=",
    "{SHA1}Z6u7mce9k9CaRmC3+n9P//WkRuw=",
    "{SHA256}CwfQ1opHhTreTrTBqPqvzQorj8lIjGGcf7CGbqJyi6U=",
    "{SHA512}MZ268jgHsaGJYX5UDaqEzGgUGDDjQdJ2OjzlHsdkKbyWi+9cJXUXZUtOQ/P3VrwE2B+ZDMJQWChEDyxrn01JZg==",
    "{SSHA}wXIEQAt9PAuSfge8M+UgHbFc+Bx6ct6S",
    "{ssha256}SWNBBdetK2KRbB7E3OQ93i7CswBGKuweBDvzEK0GsK+KvFQo",
    "{SSHA512}gpVvNaN8Z7uJGS0gPkDjHPvF471DmdTkSVjXQQErul1TX8iDyqFz1UkPzi3X9tFMF398LqYKhVKxWnJhD54vheDK04o=",
    "{SMD5}YG5kRcVP3ItL2wjiNdwHhW9jq78=",
    "{PLAIN-MD5}aef245b250502319340aa4ee5a659698",
    "{PLAIN-MD5}AEF245B250502319340AA4EE5A659698",
    "{LDAP-MD5}rvJFslBQIxk0CqTuWmWWmA==",
    "{MD5}$1$eP.4CXSS$.UzJBfB9d6Bk8naMj3VOw/",
    "{MD5-CRYPT}$1$SE1h/1qf$HmUKvBykf0jHB0HK/N4eN0",
    "{SHA256-CRYPT}$5$qZqz2gIWfGod7LaA$.f5QNvRgVr1rJ7ZEKN8qmpOHLptbJgvF13bpla/Us0/",
    "{SHA512-CRYPT}$6$oLeXv00p4ULzNBAg$"
    "nsnfWR0OxSruwGQaMExwcjpnXtRd.AO4Ms4995qJGCeFauQTyOQwALvjZiiGhqzRJEi5PeEVwWwno.jiKz71p0",
    "{CRYPT}$2y$05$B.axy2BUuXdf5PCsVxwlqeVfinUBZF7ALrX3CWgJkdM1j0ph6NyYy",
    "{CRYPT}$5$qZqz2gIWfGod7LaA$.f5QNvRgVr1rJ7ZEKN8qmpOHLptbJgvF13bpla/Us0/",
    "{CRYPT}$1$SE1h/1qf$HmUKvBykf0jHB0HK/N4eN0",
    # as in /etc/shadow
    "$1$SE1h/1qf$HmUKvBykf0jHB0HK/N4eN0",
    "{PBKDF2}$1$p1Q/GxCBB/wxEbdc$5000$bc730d7f994a233de21e0750b790f46adead6411",
    "{SCRAM-SHA-256}4096,WT+bx4NBdeIuVJuNAHhO9A==,S0Xha35FvTgDY2+fCXz+afMRC5PC/8g3chDVDJ4Dfvw=,"
    "k7Wab0S5As5hYctbO6rzmp5NR/KaGTkZmJogF1Jdhl8=",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$yioip4iyRTcbdQn9QXHwQA$lPOZ2aBXaRdrBsPAGZBXmh8AfXVRVo71h8ntZvOrRuo",
    "{SHA256.HEX}0b07d0d68a47853ade4eb4c1a8faafcd0a2b8fc9488c619c7fb0866ea2728ba5",
    "{SSHA.hex}25bbe77877123e5c212ef81a03c9351ebab8f8ab03e289ca",
    "{SSHA512.BASE64}AQH8gJJQApsLXaXX6tUEFeH42f1EACg6pf1EEM5c8wurCmVmwSJv20VzBCvdIxGrMG+7lUFF8GdkmN/i3HQelaxEowc=",
    "{PLAIN-MD5.B64}rvJFslBQIxk0CqTuWmWWmA==",
    "{SHA512-CRYPT.B64}JDYkSFpGSm40d0RJQW5rd09kVCRueEczTTdwOHEwOE5lYTBCbWhNeGFEZmVKcmdzVjE0b1hnbEpiRXEzeG5kdXdvZEgu"
    "ay8zWkVsd044Y0RpbXRLTWxvbDBMdGFiR25oeDJ1eVg2ZktEMA==",
]


@pytest.mark.parametrize("secret", FROM_DOVEADM)
def test_a_password_matches_its_hash(secret: str) -> None:
    kept = canonical(secret)
    assert matches(PASSWORD, kept)
    assert not matches(PASSWORD[:-1], kept)
    assert not matches("", kept)
    assert canonical(kept) == kept


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "{",
        "Pa$$123",
        "!",
        "{SHA}",
        "{SHA}x",
        "{SHA}Z6u7mce9k9CaRmC3+n9P//WkRuw",
        "{SHA}Z6u7mce9k9CaRmC3+n9P//WkRuw= ",
        "{SSHA}Z6u7mce9k9CaRmC3+n9P//WkRuw=",
        "{SHA256}Z6u7mce9k9CaRmC3+n9P//WkRuw=",
        "{SHA.FOO}Z6u7mce9k9CaRmC3+n9P//WkRuw=",
        "{SHA.HEX}0",
        "{PLAIN-MD5}zz",
        "{PLAIN-MD5}ae f245b250502319340aa4ee5a659698",
        "{PLAIN.B64}/w==",
        "{MD5-CRYPT}$1$ninechars$HmUKvBykf0jHB0HK/N4eN0",
        "{MD5-CRYPT}$1$sält$HmUKvBykf0jHB0HK/N4eN0",
        "{PBKDF2}$1$salt$0$bc730d7f994a233de21e0750b790f46adead6411",
        "{PBKDF2}$1$salt$9999999$bc730d7f994a233de21e0750b790f46adead6411",
        "{SCRAM-SHA-256}4096,,,",
        "{SCRAM-SHA-256}0,WT+bx4NBdeIuVJuNAHhO9A==,S0Xha35FvTgDY2+fCXz+afMRC5PC/8g3chDVDJ4Dfvw=,"
        "k7Wab0S5As5hYctbO6rzmp5NR/KaGTkZmJogF1Jdhl8=",
        "{DES-CRYPT}tPLY0iCAxVdas",
        "{CRYPT}tPLY0iCAxVdas",
        "$y$j9T$abc$def",
        "{ARGON2I}$argon2id$v=19$m=8,t=1,p=1$WQuxs1/6lh6nknS9/eVhUQ$5xUEkYbsbtTRHb2+1lQwF/eDrmE55vnlv05pp8xGUEM",
    ],
)
def test_invalid_hashes_are_refused_with_a_reason(secret: str) -> None:
    with pytest.raises(Refused) as refused:
        canonical(secret)
    assert refused.value.code is Code.CANNOT
    assert not matches("", secret)


def test_a_scheme_without_a_secret_is_refused() -> None:
    with pytest.raises(Refused, match=r"^There is no secret after \{PLAIN\}$"):
        canonical("{PLAIN}")


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(Refused, match=r"\{DES-CRYPT\} is not known here"):
        canonical("{DES-CRYPT}tPLY0iCAxVdas")
    assert "{SSHA512}" in KNOWN
    assert "{DES-CRYPT}" not in KNOWN


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        kept = canonical(text)
    except Refused:
        return
    assert canonical(kept) == kept


@given(st.sampled_from(FROM_DOVEADM).map(lambda secret: secret.partition("}")[0] + "}"), st.text(max_size=50))
def test_any_hash_can_be_checked(scheme: str, stored: str) -> None:
    assert not matches("\x01", scheme + stored)


def test_imported_scram_keys_are_used_for_scram() -> None:
    (secret,) = [each for each in FROM_DOVEADM if each.startswith("{SCRAM")]
    kept = imported_secrets(secret)
    keys = scram_keys.read(kept[scram_keys.MECHANISM])
    assert keys is not None
    assert keys == scram_keys.derived(PASSWORD, keys.salt, 4096)


# made by crypt(3) of libxcrypt 4.4
@pytest.mark.parametrize(
    ("password", "stored"),
    [
        ("", "$1$abc$Or2rbeUYTvt12aiVzMuS/."),
        ("x", "$1$$LP5.V3ajGqHDdXW6XwZQy."),
        ("Pa$$123", "$1$abcdefgh$jjg2c62vVhwRWUIGJ9pat1"),
        ("a" * 15, "$1$ab$.YsHgaLyY9H3q9ePtRvNv."),
        ("a" * 16, "$1$ab$6zLcbw1W9kRaVft5mBrZz."),
        ("a" * 17, "$1$ab$sUOj732Kzh5pOCDcZcMM5."),
        ("ü" * 40, "$1$ab$QVK1GUj7QQIy5QFf6LfBl/"),
        ("", "$5$abc$bBHLwRRW2Li0XKaX13kz/g2fkDil4Jx46aNvd.48MS8"),
        ("x", "$5$$0Uor7kq6CTPY0DtjOiw.I2DuJSUfiZxCqkrafMVjNc8"),
        ("Pa$$123", "$5$rounds=1000$sixteen-letters.$ujayAM7W.zdU./Gce9szXT8wmA03p7hTIJLWkX50O2/"),
        ("a" * 31, "$5$ab$ODKiecrbjK7hbhbMZ39BnT2mpkvb28oBIJHqBhUm0G5"),
        ("a" * 32, "$5$ab$MVzrQbkJOZCDypwGhdynfW1bIFo7vRNCU5sP3dmxC82"),
        ("a" * 33, "$5$ab$.m1dKmR2PG0CeLRj8gszNtSPv/4rA/Ir2iPQqPv8YS1"),
        ("ü" * 40, "$5$ab$O2RR69nbrGWPYgEqmY6EuyKQacIHXNo9f34Qtq9xTR4"),
    ],
)
def test_crypt(password: str, stored: str) -> None:
    check = md5_crypt.matches if stored.startswith("$1$") else SHA256_CRYPT.matches
    assert check(password.encode(), stored)
    assert not check(password.encode() + b" ", stored)
