"""The journal names each wrong state of an account, and accepts all states that unanswered operations may leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reliability.journal.account import AccountJournal
from reliability.journal.compare import adopt, compare
from reliability.journal.messages import Contradiction
from reliability.journal.operations import (
    Append,
    Between,
    Create,
    Delete,
    Deliver,
    Expunge,
    How,
    Remove,
    Rename,
    Sent,
    Store,
    Subscribe,
    Transfer,
)
from reliability.journal.seen import SeenAccount, SeenMailbox, SeenMessage

INBOX, ARCHIVE = 11, 12
DATE = " 1-Jan-2020 10:00:00 +0000"


class Stored:
    """What a server stores, as a test changes it: three messages in INBOX, and an empty mailbox."""

    def __init__(self) -> None:
        self.mailboxes = {
            "INBOX": SeenMailbox("INBOX", INBOX, 4, 5),
            "Archive": SeenMailbox("Archive", ARCHIVE, 1, 1),
        }
        self.subscribed = {"INBOX"}
        for uid in (1, 2, 3):
            self.put("INBOX", uid, f"m{uid}", modseq=3)

    def put(
        self, name: str, uid: int, digest: str, flags: Iterable[str] = (), *, modseq: int, date: str = DATE
    ) -> None:
        mailbox = self.mailboxes[name]
        mailbox.messages[uid] = SeenMessage(frozenset(flags), modseq, date, 100, digest)
        mailbox.uidnext = max(mailbox.uidnext, uid + 1)
        mailbox.modseq = max(mailbox.modseq, modseq)

    def flag(self, uid: int, flags: Iterable[str], *, modseq: int) -> None:
        message = self.mailboxes["INBOX"].messages[uid]
        self.put("INBOX", uid, message.digest or "", flags, modseq=modseq)

    def remove(self, *uids: int, modseq: int = 9) -> None:
        for uid in uids:
            del self.mailboxes["INBOX"].messages[uid]
        self.mailboxes["INBOX"].modseq = modseq

    def seen(self) -> SeenAccount:
        for mailbox in self.mailboxes.values():
            messages = mailbox.messages.values()
            mailbox.counters = {
                "MESSAGES": len(messages),
                "UNSEEN": sum("\\Seen" not in message.flags for message in messages),
                "DELETED": sum("\\Deleted" in message.flags for message in messages),
                "SIZE": sum(message.size for message in messages),
            }
        return SeenAccount(self.mailboxes, frozenset(self.subscribed))


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def journal(stored: Stored) -> AccountJournal:
    journal = AccountJournal("linda")
    adopt(journal, stored.seen())
    return journal


def sent(digest: str, *flags: str) -> Sent:
    return Sent(digest, frozenset(flags), DATE)


def store(uids: Iterable[int], *flags: str, how: How = How.ADD, client: str = "phone") -> Store:
    return Store(client=client, mailbox=INBOX, uids=frozenset(uids), how=how, flags=frozenset(flags))


def move(*uids: int, client: str = "phone", is_move: bool = True) -> Transfer:
    return Transfer(client=client, source=INBOX, uids=frozenset(uids), target="Archive", is_move=is_move)


def the_fault(journal: AccountJournal, stored: Stored) -> str:
    (fault, *_) = compare(journal, stored.seen())
    return fault


# Nothing is in flight


def test_what_has_not_changed_is_right(journal: AccountJournal, stored: Stored) -> None:
    assert not compare(journal, stored.seen())


def test_a_lost_message(journal: AccountJournal, stored: Stored) -> None:
    stored.remove(2)
    assert "UID 2 of INBOX is lost" in the_fault(journal, stored)


def test_an_acknowledged_message_that_is_not_there(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Append(client="phone", target="INBOX", messages=[sent("new")]))
    journal.appended(operation, INBOX, [4])
    assert "UID 4 of INBOX is lost" in the_fault(journal, stored)


def test_a_delivery_that_is_not_there(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Deliver(client="mta", message=sent("new")))
    journal.delivered(operation)
    assert "message new is at []" in the_fault(journal, stored)


def test_a_delivery_that_is_there_twice(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Deliver(client="mta", message=sent("new")))
    journal.delivered(operation)
    stored.put("INBOX", 4, "new", modseq=6)
    stored.put("INBOX", 5, "new", modseq=7)
    assert "message new is at" in the_fault(journal, stored)


def test_a_message_from_nowhere(journal: AccountJournal, stored: Stored) -> None:
    stored.put("INBOX", 4, "strange", modseq=6)
    assert "message strange is at" in the_fault(journal, stored)


def test_other_octets(journal: AccountJournal, stored: Stored) -> None:
    stored.put("INBOX", 2, "changed", modseq=3)
    assert "UID 2 of INBOX is changed, and was m2" in the_fault(journal, stored)


def test_another_date(journal: AccountJournal, stored: Stored) -> None:
    stored.put("INBOX", 2, "m2", modseq=3, date=" 2-Jan-2020 10:00:00 +0000")
    assert "UID 2 of INBOX has the date" in the_fault(journal, stored)


def test_a_date_outside_the_time_of_the_delivery(journal: AccountJournal, stored: Stored) -> None:
    message = Sent("new", frozenset(), Between(1_600_000_000, 1_600_000_010))
    journal.begin(operation := Deliver(client="mta", message=message))
    journal.delivered(operation)
    stored.put("INBOX", 4, "new", modseq=6, date="13-Sep-2020 12:26:51 +0000")
    assert "message new is at" in the_fault(journal, stored)


def test_a_uid_that_is_used_twice(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Remove(client="phone", mailbox=INBOX, uids=frozenset({3})))
    journal.removed(operation, INBOX, [3])
    stored.remove(3)
    assert not compare(journal, stored.seen())
    stored.put("INBOX", 3, "another", modseq=10)
    assert "UID 3 of INBOX is another, and was m3" in the_fault(journal, stored)
    with pytest.raises(Contradiction, match="used twice"):
        journal.found(INBOX, 3, "another", DATE, 10, frozenset())


def test_a_removed_message_that_comes_back(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Remove(client="phone", mailbox=INBOX, uids=frozenset({3})))
    journal.removed(operation, INBOX, [3])
    assert "UID 3 of INBOX is there, and it was said to be removed" in the_fault(journal, stored)


def test_a_changed_flag(journal: AccountJournal, stored: Stored) -> None:
    stored.flag(2, ["\\Seen"], modseq=3)
    assert "UID 2 of INBOX has flags (\\Seen) at modseq 3, and had ()" in the_fault(journal, stored)


def test_a_lost_flag(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := store([2], "\\Seen"))
    journal.told(INBOX, 2, 6, frozenset({"\\Seen"}))
    journal.stored(operation)
    assert "UID 2 of INBOX has modseq 3, and had 6" in the_fault(journal, stored)


def test_a_store_that_is_acknowledged_and_not_done(journal: AccountJournal) -> None:
    journal.begin(operation := store([2], "\\Seen"))
    journal.told(INBOX, 2, 6, frozenset())
    with pytest.raises(Contradiction, match="STORE was acknowledged"):
        journal.stored(operation)


def test_a_modseq_that_goes_back(journal: AccountJournal, stored: Stored) -> None:
    stored.mailboxes["INBOX"].modseq = 4
    assert "HIGHESTMODSEQ of mailbox INBOX (11) went back from 5 to 4" in the_fault(journal, stored)


def test_a_uidnext_that_goes_back(journal: AccountJournal, stored: Stored) -> None:
    journal.numbers(INBOX, uidnext=7)
    assert "UIDNEXT of mailbox INBOX (11) went back from 7 to 4" in the_fault(journal, stored)


def test_a_wrong_counter(journal: AccountJournal, stored: Stored) -> None:
    seen = stored.seen()
    seen.mailboxes["INBOX"].counters["UNSEEN"] = 2
    (fault,) = compare(journal, seen)
    assert "a recount gives" in fault


def test_a_mailbox_that_nothing_touched_and_that_changed(journal: AccountJournal, stored: Stored) -> None:
    seen = stored.seen()
    seen.mailboxes["INBOX"] = replace(seen.mailboxes["INBOX"], is_whole=False, modseq=6, messages={})
    (fault,) = compare(journal, seen)
    assert "changed by itself" in fault


def test_mailboxes_and_subscriptions(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Create(client="phone", name="new/box"))
    journal.changed_tree(operation)
    journal.begin(operation2 := Subscribe(client="phone", name="new", is_wanted=True))
    journal.changed_tree(operation2)
    faults = compare(journal, stored.seen())
    assert "mailbox new is lost" in faults[0]
    assert "mailbox new/box is lost" in faults[1]
    assert "subscriptions differ: ['new']" in faults[2]


def test_a_uidvalidity_that_was_used_before(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Create(client="phone", name="new"))
    journal.changed_tree(operation)
    stored.mailboxes["new"] = SeenMailbox("new", ARCHIVE, 1, 1)
    assert "new mailbox new has UIDVALIDITY 12, which was used before" in the_fault(journal, stored)


# An operation is in flight: it is done or not, and never half


@pytest.mark.parametrize("is_done", [True, False])
def test_an_unanswered_append(journal: AccountJournal, stored: Stored, is_done: bool) -> None:
    journal.begin(Append(client="phone", target="INBOX", messages=[sent("new"), sent("newer", "\\Seen")]))
    if is_done:
        stored.put("INBOX", 4, "new", modseq=6)
        stored.put("INBOX", 5, "newer", ["\\Seen"], modseq=6)
    assert not compare(journal, stored.seen())


def test_half_of_an_append(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(Append(client="phone", target="INBOX", messages=[sent("new"), sent("newer")]))
    stored.put("INBOX", 4, "new", modseq=6)
    assert "message new" in the_fault(journal, stored)


@pytest.mark.parametrize("is_done", [True, False])
def test_an_unanswered_move(journal: AccountJournal, stored: Stored, is_done: bool) -> None:
    journal.begin(move(1, 2))
    if is_done:
        stored.remove(1, 2)
        stored.put("Archive", 1, "m1", modseq=9)
        stored.put("Archive", 2, "m2", modseq=9)
    assert not compare(journal, stored.seen())


def test_a_move_that_has_only_copied(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(move(1))
    stored.put("Archive", 1, "m1", modseq=9)
    assert "m1" in the_fault(journal, stored)


def test_a_move_that_has_only_removed(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(move(1))
    stored.remove(1)
    assert compare(journal, stored.seen())


def test_a_move_of_some_of_its_messages(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(move(1, 2))
    stored.remove(1)
    stored.put("Archive", 1, "m1", modseq=9)
    assert compare(journal, stored.seen())


def test_two_moves_of_one_message_do_not_make_two(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(move(1))
    journal.begin(move(1, client="desk"))
    stored.remove(1)
    stored.put("Archive", 1, "m1", modseq=9)
    assert not compare(journal, stored.seen())
    journal.begin(move(2))
    journal.begin(move(2, client="desk"))
    stored.remove(2)
    stored.put("Archive", 2, "m2", modseq=9)
    stored.put("Archive", 3, "m2", modseq=9)
    assert "message m2" in the_fault(journal, stored)


def test_a_copy_has_the_flags_of_its_original(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(move(1, is_move=False))
    stored.put("Archive", 1, "m1", ["\\Seen"], modseq=9)
    assert "message m1" in the_fault(journal, stored)


def test_a_store_that_is_half_done(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(store([1, 2], "\\Seen"))
    stored.flag(1, ["\\Seen"], modseq=6)
    assert "is half done: [1] of INBOX have changed, and [2] have not" in the_fault(journal, stored)


def test_unanswered_stores_may_be_done_in_any_order(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(store([1], "\\Seen"))
    journal.begin(store([1], "\\Flagged", how=How.REPLACE, client="desk"))
    stored.flag(1, ["\\Flagged", "\\Seen"], modseq=7)
    assert not compare(journal, stored.seen())


def test_flags_that_no_order_of_stores_gives(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(store([1], "\\Seen"))
    journal.begin(store([1], "\\Flagged", client="desk"))
    stored.flag(1, ["\\Answered"], modseq=7)
    assert "UID 1 of INBOX has flags (\\Answered)" in the_fault(journal, stored)


def test_the_highest_modseq_that_was_told_decides(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(first := store([1], "\\Seen", how=How.REPLACE))
    journal.begin(second := store([1], "\\Flagged", how=How.REPLACE, client="desk"))
    # the answers are read in the other order than the server has done the work
    journal.told(INBOX, 1, 7, frozenset({"\\Flagged"}))
    journal.stored(second)
    journal.told(INBOX, 1, 6, frozenset({"\\Seen"}))
    journal.stored(first)
    stored.flag(1, ["\\Flagged"], modseq=7)
    assert not compare(journal, stored.seen())


def test_two_answers_about_one_modseq_agree(journal: AccountJournal) -> None:
    journal.told(INBOX, 1, 6, frozenset({"\\Flagged"}))
    with pytest.raises(Contradiction, match="at modseq 6 has"):
        journal.told(INBOX, 1, 6, frozenset({"\\Seen"}))


@pytest.mark.parametrize("is_done", [True, False])
def test_an_unanswered_expunge_removes_only_what_is_marked(
    journal: AccountJournal, stored: Stored, is_done: bool
) -> None:
    journal.begin(operation := store([1], "\\Deleted"))
    journal.told(INBOX, 1, 6, frozenset({"\\Deleted"}))
    journal.stored(operation)
    journal.begin(Expunge(client="phone", mailbox=INBOX))
    stored.flag(1, ["\\Deleted"], modseq=6)
    if is_done:
        stored.remove(1)
        assert not compare(journal, stored.seen())
        return
    stored.remove(2)
    assert "UID 2 of INBOX is lost" in the_fault(journal, stored)


def test_a_message_that_two_moves_are_said_to_have_moved(journal: AccountJournal) -> None:
    journal.begin(first := move(1))
    journal.begin(second := move(1, client="desk"))
    journal.transferred(first, ARCHIVE, {1: 1})
    with pytest.raises(Contradiction, match="moved or removed twice"):
        journal.transferred(second, ARCHIVE, {1: 2})


@pytest.mark.parametrize("is_done", [True, False])
def test_an_unanswered_rename_of_inbox(journal: AccountJournal, stored: Stored, is_done: bool) -> None:
    journal.begin(Rename(client="phone", old="INBOX", new="old", inbox={1: "m1", 2: "m2", 3: "m3"}))
    if is_done:
        stored.remove(1, 2, 3)
        stored.mailboxes["old"] = SeenMailbox("old", 13, 1, 9)
        for uid in (1, 2, 3):
            stored.put("old", uid, f"m{uid}", modseq=9)
    assert not compare(journal, stored.seen())


def test_a_rename_of_inbox_that_loses_a_message(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(Rename(client="phone", old="INBOX", new="old", inbox={1: "m1", 2: "m2", 3: "m3"}))
    stored.remove(1, 2, 3)
    stored.mailboxes["old"] = SeenMailbox("old", 13, 1, 9)
    for uid in (1, 2):
        stored.put("old", uid, f"m{uid}", modseq=9)
    assert "message m3" in the_fault(journal, stored)


@pytest.mark.parametrize("is_done", [True, False])
def test_an_unanswered_rename_takes_all_inferiors(journal: AccountJournal, stored: Stored, is_done: bool) -> None:
    journal.begin(create := Create(client="phone", name="a/b"))
    journal.changed_tree(create)
    stored.mailboxes |= {"a": SeenMailbox("a", 13, 1, 6), "a/b": SeenMailbox("a/b", 14, 1, 6)}
    assert not compare(journal, stored.seen())
    journal.begin(Rename(client="phone", old="a", new="c"))
    for old, new in {"a": "c", "a/b": "c/b"}.items() if is_done else ():
        stored.mailboxes[new] = replace(stored.mailboxes.pop(old), name=new)
    assert not compare(journal, stored.seen())


def test_a_rename_that_leaves_an_inferior(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(create := Create(client="phone", name="a/b"))
    journal.changed_tree(create)
    stored.mailboxes |= {"a": SeenMailbox("a", 13, 1, 6), "a/b": SeenMailbox("a/b", 14, 1, 6)}
    assert not compare(journal, stored.seen())
    journal.begin(Rename(client="phone", old="a", new="c"))
    stored.mailboxes["c"] = replace(stored.mailboxes.pop("a"), name="c")
    assert compare(journal, stored.seen())


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_delivery_during_a_rename_of_inbox_may_be_in_a_mailbox_that_is_deleted(
    journal: AccountJournal, stored: Stored, is_moved: bool
) -> None:
    journal.begin(rename := Rename(client="phone", old="INBOX", new="old", inbox={}))
    journal.begin(deliver := Deliver(client="mta", message=sent("new")))
    journal.changed_tree(rename)
    journal.delivered(deliver)
    journal.begin(delete := Delete(client="phone", name="old"))
    journal.changed_tree(delete)
    if not is_moved:
        stored.put("INBOX", 4, "new", modseq=6)
    assert not compare(journal, stored.seen())


def test_an_unanswered_expunge_of_a_mailbox_that_was_deleted_long_ago(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(delete := Delete(client="desk", name="Archive"))
    journal.changed_tree(delete)
    del stored.mailboxes["Archive"]
    assert not compare(journal, stored.seen())
    journal.begin(Expunge(client="phone", mailbox=ARCHIVE))
    assert not compare(journal, stored.seen())


def test_an_unanswered_delete_may_take_what_others_have_added(journal: AccountJournal, stored: Stored) -> None:
    journal.begin(operation := Append(client="desk", target="Archive", messages=[sent("new")]))
    journal.appended(operation, ARCHIVE, [1])
    journal.begin(Delete(client="phone", name="Archive"))
    journal.begin(Append(client="desk", target="Archive", messages=[sent("newer")]))
    del stored.mailboxes["Archive"]
    assert not compare(journal, stored.seen())
