"""SHA256-CRYPT and SHA512-CRYPT with the vectors of their specification, and with hashes of crypt(3)."""

import pytest

from mektup.auth.sha_crypt import SHA256_CRYPT, SHA512_CRYPT

VECTORS = [
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "Hello world!",
        "$6$rounds=10000$saltstringsaltst$"
        "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
    ),
    (
        "This is just a test",
        "$6$rounds=5000$toolongsaltstrin$"
        "lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0",
    ),
    (
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$6$rounds=1400$anotherlongsalts$"
        "POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
    ),
    # made by crypt(3) of libxcrypt 4.4
    (
        "Pa$$123",
        "$6$abc$8kdx7eblgj75YdWAOdLFebJbaJjIGhdFfs5lwBHkpfPUD130jDYKjBhtcAlSriHIFB4ER/TQPYe1QShecsOQY0",
    ),
]


@pytest.mark.parametrize(("password", "stored"), VECTORS)
def test_vectors(password: str, stored: str) -> None:
    assert SHA512_CRYPT.is_sound(stored)
    assert SHA512_CRYPT.matches(password.encode(), stored)
    assert not SHA512_CRYPT.matches(password.encode() + b" ", stored)


_HASH = VECTORS[0][1].removeprefix("$6$saltstring$")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "$6$",
        "$6$saltstring$" + _HASH[:-1],
        "$6$saltstring$" + _HASH + "x",
        "$6$saltstring$" + _HASH[:-1] + "!",
        "$6$seventeen-letters$" + _HASH,
        "$6$rounds=999999999$saltstring$" + _HASH,
        "$6$rounds=$saltstring$" + _HASH,
        "$6$s\u00e4lt$" + _HASH,
        "$5$saltstring$" + _HASH,
    ],
)
def test_malformed_or_too_expensive(stored: str) -> None:
    assert not SHA512_CRYPT.is_sound(stored)
    assert not SHA512_CRYPT.matches(b"Hello world!", stored)


VECTORS_256 = [
    ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
]


@pytest.mark.parametrize(("password", "stored"), VECTORS_256)
def test_vectors_of_sha256(password: str, stored: str) -> None:
    assert SHA256_CRYPT.matches(password.encode(), stored)
    assert not SHA256_CRYPT.matches(password.encode() + b" ", stored)


@pytest.mark.parametrize("stored", ["$5$s$x", "$6$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8", ""])
def test_texts_that_are_no_sha256_crypt(stored: str) -> None:
    assert not SHA256_CRYPT.is_sound(stored)
    assert not SHA256_CRYPT.matches(b"Hello world!", stored)
