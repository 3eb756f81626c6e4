"""Three users who share with each other, in any order of commands: nobody sees or does what a list does not allow.

Every answer is compared with a naive model of RFC 4314, and after each command so is everything that each user can
see: LIST, MYRIGHTS, the messages and flags of every mailbox, and the answers about those that may not be known.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mektup.imap.session import ImapSession
from tests.models.rights import EVERY, OTHERS, Box, Message, World, permitted
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services

T = TypeVar("T")

USERS = ("ann", "bob", "eve")
NAMES = ("INBOX", "work", "work/plans", "work/plans/old")
LISTED = re.compile(rb'\* LIST \(([^)]*)\) "/" (?:"([^"]*)"|(\S+))\Z')
CODE = re.compile(rb"t (OK|NO|BAD)(?: \[([A-Z]+))?")
FETCHED = re.compile(rb"\* \d+ FETCH \(FLAGS \(([^)]*)\) ENVELOPE \(NIL \"(\w+)\"")

users = st.sampled_from(USERS)
names = st.sampled_from(NAMES)
letters = (
    st.sampled_from(
        [EVERY, frozenset("lr"), frozenset("lrs"), frozenset("lrswite"), frozenset("lrik"), frozenset("rt")]
    )
    | st.frozensets(st.sampled_from(sorted(EVERY)), max_size=6)
    | st.frozensets(st.sampled_from(sorted(EVERY)), max_size=3).map(EVERY.__sub__)
)
identifiers = st.sampled_from([*USERS, "anyone", *(f"-{user}" for user in USERS), "-anyone"])
readers = st.sampled_from(["anyone", *USERS])
flags = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "todo"]), max_size=3)


class User:
    """A connection of a user."""

    def __init__(self, given: Given) -> None:
        self._dialogue = Dialogue(ImapSession, given.services)
        self.selected: Box | None = None
        self.heard_bye = False

    async def log_in(self, name: str) -> None:
        await self._dialogue.__aenter__()
        await self._dialogue.line()
        assert (await self.command(f"LOGIN {name} Pa$$123"))[0] == "OK"

    async def command(self, line: str) -> tuple[str, list[bytes]]:
        """OK, or the code of the refusal, or its word where there is no code; and the responses."""
        self._dialogue.send(b"t " + line.encode() + b"\r\n")
        came: list[bytes] = []
        while (found := CODE.match(response := await self._dialogue.line())) is None:
            came.append(response)
        self.heard_bye = any(line.startswith(b"* BYE") for line in came)
        word = found[1] if found[1] == b"OK" or found[2] is None else found[2]
        return word.decode(), came

    async def leave(self) -> None:
        await self._dialogue.__aexit__(None, None, None)


class ThreeUsers(RuleBasedStateMachine):
    """Each rule is one command of one user, and what it does to the model."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.model = World()
        self.users: dict[str, User] = {}
        self.sent = 0
        self._left = AsyncExitStack()

    def teardown(self) -> None:
        for user in self.users.values():
            self.run(user.leave())
        self.run(self._left.aclose())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(lists=st.lists(letters, min_size=9, max_size=9), data=st.data())
    def begin(self, lists: list[frozenset[str]], data: st.DataObject) -> None:
        """Everybody shares a message in each mailbox from the beginning, and has a mailbox of somebody selected."""
        self.run(self._begin())
        for user in USERS:
            for name in NAMES[:3]:
                self.model.boxes.append(Box(user, name))
                self.share(user, name, data.draw(readers), lists.pop())
                self.append(user, user, name, data.draw(flags))
        for user in USERS:
            self.select(user, data.draw(users), data.draw(st.sampled_from(NAMES[:3])))

    async def _begin(self) -> None:
        self.given = await self._left.enter_async_context(given_services())
        for user in USERS:
            account = await self.given.add(user)
            for name in ("Archive", "Drafts", "Junk", "Sent", "Trash"):
                await account.delete(name)
            await account.create(NAMES[2])
            await self._connect(user)

    async def _connect(self, user: str) -> None:
        self.users[user] = User(self.given)
        await self.users[user].log_in(user)

    def ask(self, user: str, line: str) -> str:
        return self.run(self.users[user].command(line))[0]

    def shown(self, user: str, owner: str, name: str) -> str:
        return name if user == owner else f"{OTHERS}/{owner}/{name}"

    # Lists

    @rule(owner=users, name=names, identifier=readers, letters=letters)
    def share(self, owner: str, name: str, identifier: str, letters: frozenset[str]) -> None:
        self.set_acl(owner, owner, name, identifier, letters, "")

    @rule(
        user=users,
        owner=users,
        name=names,
        identifier=identifiers,
        letters=letters,
        how=st.sampled_from(["", "+", "-"]),
    )
    def set_acl(self, user: str, owner: str, name: str, identifier: str, letters: frozenset[str], how: str) -> None:
        shown = self.shown(user, owner, name)
        came = self.ask(user, f'SETACL "{shown}" {identifier} "{how}{"".join(sorted(letters))}"')
        verdict = self.model.verdict(user, shown, "a")
        box = self.model.named(user, shown)
        if verdict != "OK" or box is None:
            assert came == verdict
            return
        if identifier.removeprefix("-") == owner:
            assert came in ("OK", "CANNOT")
            return
        assert came == "OK"
        before = box.lists.get(identifier, frozenset())
        box.lists[identifier] = {"": letters, "+": before | letters, "-": before - letters}[how]

    @rule(user=users, owner=users, name=names)
    def get_acl(self, user: str, owner: str, name: str) -> None:
        shown = self.shown(user, owner, name)
        came, lines = self.run(self.users[user].command(f'GETACL "{shown}"'))
        assert came == self.model.verdict(user, shown, "a")
        assert any(line.startswith(b"* ACL") for line in lines) == (came == "OK")

    # Mailboxes

    @rule(user=users, owner=users, name=names)
    def create(self, user: str, owner: str, name: str) -> None:
        shown = self.shown(user, owner, name)
        came = self.ask(user, f'CREATE "{shown}"')
        there, above = self.model.named(user, shown), self.model.above(owner, name)
        if user != owner:
            may = above is not None and "k" in above.rights(user)
            if not may or (there is not None and "l" not in there.rights(user)):
                assert came == "NOPERM"
                return
        if there is not None:
            assert came == "ALREADYEXISTS"
            return
        assert came == "OK"
        # missing levels are made, too, each with the list of the one above it
        levels = name.split("/")
        for depth in range(1, len(levels) + 1):
            each = "/".join(levels[:depth])
            if not any((box.owner, box.name) == (owner, each) for box in self.model.boxes):
                superior = self.model.above(owner, each)
                self.model.boxes.append(Box(owner, each, dict(superior.lists) if superior else {}))

    @rule(user=users, owner=users)
    def delete(self, user: str, owner: str) -> None:
        """Only the lowest level, so that no name stays that cannot be selected."""
        shown = self.shown(user, owner, NAMES[3])
        verdict = self.model.verdict(user, shown, "x")
        box = self.model.named(user, shown)
        assert self.ask(user, f'DELETE "{shown}"') == verdict
        if verdict == "OK" and box is not None:
            self.model.boxes.remove(box)
            if self.users[user].selected is box:
                self.users[user].selected = None

    # Messages

    @rule(user=users, owner=users, name=names, flags=flags)
    def append(self, user: str, owner: str, name: str, flags: frozenset[str]) -> None:
        shown = self.shown(user, owner, name)
        self.sent += 1
        subject = f"m{self.sent}"
        raw = f"Subject: {subject}\r\n\r\nx"
        came = self.ask(user, f'APPEND "{shown}" ({" ".join(sorted(flags))}) {{{len(raw)}+}}\r\n{raw}')
        verdict = self.model.verdict(user, shown, "i")
        assert came == ("TRYCREATE" if verdict == "NONEXISTENT" else verdict)
        if came == "OK":
            box = self.model.named(user, shown)
            assert box is not None
            box.messages.append(Message(subject, permitted(flags, box.rights(user))))

    @rule(user=users, owner=users, name=names)
    def select(self, user: str, owner: str, name: str) -> None:
        shown = self.shown(user, owner, name)
        if not self._still_open(user):
            return
        came = self.ask(user, f'SELECT "{shown}"')
        assert came == self.model.verdict(user, shown, "r")
        self.users[user].selected = self.model.named(user, shown) if came == "OK" else None

    def _still_open(self, user: str) -> bool:
        """Whether *user* still may read the selected mailbox; if not, the next command says BYE.

        Or the last one did: a SETACL by which *user* lost its own right.
        """
        client = self.users[user]
        box = client.selected
        if box is None or (box in self.model.boxes and "r" in box.rights(user)):
            return True
        if not client.heard_bye:
            came, lines = self.run(client.command("NOOP"))
            assert client.heard_bye
            assert not any(b"FETCH" in line or b"EXISTS" in line for line in lines)
            assert came in ("OK", "NONEXISTENT")
        self.run(client.leave())
        self.run(self._connect(user))
        return False

    def _open(self, user: str) -> Box | None:
        """The selected mailbox of *user*, if it has messages; the client knows all of them."""
        if not self._still_open(user):
            return None
        self.ask(user, "NOOP")
        box = self.users[user].selected
        return box if box is not None and box.messages else None

    @rule(user=users, place=st.floats(0, 1), flags=flags, how=st.sampled_from(["", "+", "-"]))
    def store(self, user: str, place: float, flags: frozenset[str], how: str) -> None:
        box = self._open(user)
        if box is None:
            return
        number = round(place * (len(box.messages) - 1))
        came = self.ask(user, f"STORE {number + 1} {how}FLAGS ({' '.join(sorted(flags))})")
        rights = box.rights(user)
        may = permitted(flags, rights)
        if not rights & set("swtie") or (flags and not may) or (not flags and not rights & set("swt")):
            assert came in ("NO", "NOPERM")
            return
        assert came == "OK"
        message = box.messages[number]
        stay = message.flags - permitted(message.flags, rights)
        message.flags = {"": may | stay, "+": message.flags | may, "-": message.flags - may}[how]

    @rule(user=users)
    def expunge(self, user: str) -> None:
        box = self._open(user)
        if box is None:
            return
        came = self.ask(user, "EXPUNGE")
        rights = box.rights(user)
        assert came == "OK" if "e" in rights else came in ("NO", "NOPERM")
        if came == "OK":
            box.messages = [each for each in box.messages if "\\Deleted" not in each.flags]

    @rule(user=users, place=st.floats(0, 1), owner=users, name=names, moving=st.booleans())
    def copy(self, user: str, place: float, owner: str, name: str, moving: bool) -> None:
        box = self._open(user)
        if box is None:
            return
        shown = self.shown(user, owner, name)
        number = round(place * (len(box.messages) - 1))
        came = self.ask(user, f'{"MOVE" if moving else "COPY"} {number + 1} "{shown}"')
        rights = box.rights(user)
        if moving and not rights >= {"t", "e"}:
            assert came in ("NO", "NOPERM")
            return
        verdict = self.model.verdict(user, shown, "i")
        assert came == ("TRYCREATE" if verdict == "NONEXISTENT" else verdict)
        target = self.model.named(user, shown)
        if came == "OK" and target is not None:
            message = box.messages[number]
            if moving:
                box.messages.remove(message)
            may = permitted(message.flags, target.rights(user))
            target.messages.append(Message(message.subject, may))

    # What everybody sees

    @invariant()
    def nobody_sees_more_or_less(self) -> None:
        for user in self.users:
            if self._still_open(user):
                self._sees_the_truth(user)

    def _sees_the_truth(self, user: str) -> None:
        client = self.users[user]
        _, lines = self.run(client.command('LIST "" * RETURN (MYRIGHTS STATUS (MESSAGES))'))
        matches = [found for line in lines if (found := LISTED.match(line))]
        listed = {(found[2] or found[3]).decode(): found[1] for found in matches}
        assert set(listed) == self.model.visible(user)
        for name, attributes in listed.items():
            has_children = any(other.startswith(f"{name}/") for other in listed)
            assert (b"\\HasChildren" in attributes) == has_children
        told = {line for line in lines if line.startswith(b"* STATUS")}
        readable = {box.shown(user) for box in self.model.boxes if {"l", "r"} <= box.rights(user)}
        assert len(told) == len(readable)
        for box in self.model.boxes:
            if {"l", "r"} <= box.rights(user):
                assert any(b"(MESSAGES %d)" % len(box.messages) in line for line in told if box.name.encode() in line)

    @rule(user=users, owner=users, name=names)
    def look_into(self, user: str, owner: str, name: str) -> None:
        """The messages and flags of any mailbox, by a connection of its own."""
        shown = self.shown(user, owner, name)
        verdict = self.model.verdict(user, shown, "")
        assert self.ask(user, f'MYRIGHTS "{shown}"') == ("NONEXISTENT" if verdict == "NOPERM" else verdict)
        assert self.ask(user, f'STATUS "{shown}" (UNSEEN)') == self.model.verdict(user, shown, "r")
        before = self.users[user]
        self.run(self._connect(user))
        came, _ = self.run(self.users[user].command(f'EXAMINE "{shown}"'))
        box = self.model.named(user, shown)
        assert came == self.model.verdict(user, shown, "r")
        if came == "OK" and box is not None and box.messages:
            _, lines = self.run(self.users[user].command("FETCH 1:* (FLAGS ENVELOPE)"))
            seen = [found for line in lines if (found := FETCHED.match(line))]
            assert [found[2].decode() for found in seen] == [message.subject for message in box.messages]
            for found, message in zip(seen, box.messages, strict=True):
                assert frozenset(found[1].decode().split()) - {"\\Recent"} == message.flags
        self.run(self.users[user].leave())
        self.users[user] = before


ThreeUsers.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
test_nobody_sees_or_does_what_they_may_not = ThreeUsers.TestCase
