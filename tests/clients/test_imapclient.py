"""IMAPClient, from PyPI: mailboxes with any name, flags, search, special folders, IDLE, move."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .mail import ATTACHMENT, ENCODED, PLAIN, SAMPLES, append, deliver, held, message
from .served import Account

imapclient = pytest.importorskip("imapclient", reason="IMAPClient is not installed (PyPI: IMAPClient)")
specials = pytest.importorskip("imapclient.imapclient")


@contextmanager
def connected(account: Account) -> Iterator[imapclient.IMAPClient]:
    """A session over TLS, logged in."""
    trust = ssl.create_default_context(cafile=str(account.certificate))
    with imapclient.IMAPClient("localhost", account.port("imaps"), ssl_context=trust, timeout=30) as client:
        client.login(account.name, account.password)
        yield client


def test_mailboxes_with_any_name(account: Account) -> None:
    names = ["İş/Toplantı & notlar", "日本語", 'quote " and \\', "tilde~peter/mail"]
    with connected(account) as client:
        for name in names:
            client.create_folder(name)
            client.subscribe_folder(name)
        assert set(names) <= {name for _, _, name in client.list_folders()}
        assert set(names) <= {name for _, _, name in client.list_sub_folders()}
        client.append(names[0], PLAIN)
        client.rename_folder(names[0], "İş/2026")
        assert client.folder_status("İş/2026", ["MESSAGES"]) == {b"MESSAGES": 1}
        for name in ["İş/2026", *names[1:]]:
            client.delete_folder(name)
        assert not set(names) & {name for _, _, name in client.list_folders()}


def test_special_folders(account: Account) -> None:
    with connected(account) as client:
        for use, name in [
            (specials.SENT, "Sent"),
            (specials.DRAFTS, "Drafts"),
            (specials.TRASH, "Trash"),
            (specials.JUNK, "Junk"),
        ]:
            assert client.find_special_folder(use) == name
        assert client.namespace().personal == (("", "/"),)


def test_messages(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    with connected(account) as client:
        chosen = client.select_folder("INBOX")
        assert chosen[b"EXISTS"] == len(SAMPLES)
        uids = client.search(["ALL"])
        assert [client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] for uid in uids] == list(SAMPLES)
        fetched = client.fetch(uids, ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "FLAGS", "INTERNALDATE"])
        assert [fetched[uid][b"RFC822.SIZE"] for uid in uids] == [len(raw) for raw in SAMPLES]
        first = fetched[uids[0]][b"ENVELOPE"]
        assert first.subject == b"dinner at eight"
        assert str(first.from_[0]) == "Ada Byron <ada@example.org>"
        attachment = fetched[uids[SAMPLES.index(ATTACHMENT)]][b"BODYSTRUCTURE"]
        assert attachment.is_multipart
        assert [part[:2] for part in attachment[0]] == [(b"text", b"html"), (b"application", b"octet-stream")]
        client.add_flags(uids[:2], [imapclient.FLAGGED, "$Work"])
        assert client.search(["KEYWORD", "$Work"]) == uids[:2]
        client.set_flags(uids[:1], [imapclient.SEEN])
        client.remove_flags(uids[1:2], ["$Work"])
        flags = client.get_flags(uids[:2])
        assert [set(flags[uid]) - {b"\\Recent"} for uid in uids[:2]] == [{b"\\Seen"}, {b"\\Flagged"}]


def test_search_in_any_script(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    with connected(account) as client:
        client.select_folder("INBOX")
        [uid] = client.search(["SUBJECT", "yemeği"], charset="UTF-8")
        assert client.search(["TEXT", "sekizde gelin"], charset="UTF-8") == [uid]
        assert client.search(["BODY", "Garçon"], charset="UTF-8") == [SAMPLES.index(ENCODED)]


def test_sort_and_threads(account: Account) -> None:
    mail = [
        message("Re: dinner", b"yes\n", b"In-Reply-To: <dinner@example.org>"),
        message("RE: dinner", b"fine\n", b"References: <dinner@example.org> <Re.dinner@example.org>"),
        message("dinner", b"who will come?\n"),
        message("breakfast", b"\n"),
        message("Fwd: dinner", b"no\n", b"References: <dinner@example.org>"),
    ]
    append(account, "INBOX", mail)
    with connected(account) as client:
        client.select_folder("INBOX")
        assert client.sort(["SUBJECT", "REVERSE ARRIVAL"])[0] == 4
        assert client.sort("SIZE") == sorted(range(1, 6), key=lambda uid: len(mail[uid - 1]))
        assert client.sort("REVERSE SUBJECT", "SUBJECT dinner") == [1, 2, 3, 5]
        assert client.thread(algorithm="REFERENCES") == ((3, (1, 2), (5,)), (4,))
        assert client.thread(algorithm="ORDEREDSUBJECT", criteria="SUBJECT dinner") == ((1, (2,), (3,), (5,)),)


def test_changes_since_a_modseq(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    with connected(account) as client:
        before = client.select_folder("INBOX")[b"HIGHESTMODSEQ"]
        client.add_flags([2, 5], [imapclient.FLAGGED], silent=True)
        told = client.fetch(client.search(), ["FLAGS"], [f"CHANGEDSINCE {before}"])
        assert {uid: set(items[b"FLAGS"]) - {b"\\Recent"} for uid, items in told.items()} == {
            2: {b"\\Flagged"},
            5: {b"\\Flagged"},
        }
        assert {items[b"MODSEQ"] > (before,) for items in told.values()} == {True}
        found = client.search(["MODSEQ", str(before + 1)])
        assert (found, found.modseq) == ([2, 5], told[5][b"MODSEQ"][0])


def test_move_and_expunge_by_uid(account: Account) -> None:
    append(account, "INBOX", SAMPLES)
    with connected(account) as client:
        client.select_folder("INBOX")
        uids = client.search()
        client.move(uids[:2], "Archive")
        client.delete_messages(uids[2:4])
        client.uid_expunge(uids[2:3])
        assert client.search() == uids[3:]
    assert [m.raw for m in held(account, "Archive")] == list(SAMPLES[:2])


def test_idle(account: Account) -> None:
    with connected(account) as client:
        client.select_folder("INBOX")
        client.idle()
        deliver(account, PLAIN)
        told = client.idle_check(timeout=20)
        client.idle_done()
    assert (1, b"EXISTS") in told
