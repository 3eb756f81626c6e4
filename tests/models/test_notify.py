"""A client under NOTIFY knows the account: whatever others and it itself do, its picture equals the store.

The phone builds its picture only from what it was told after its first LIST, and from the answers to its own commands.
A desk changes mailboxes and messages meanwhile. Once the phone has heard everything, names, attributes, subscriptions
and counters of all mailboxes, and the messages of its selected one, are those of the store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.models.naive import BelievingClient, Known
from tests.support.backend import open_world
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection
from tests.support.transcript import parse

T = TypeVar("T")

_NAME = rb'("(?:[^"\\]|\\.)*"|[^ ()]+)'
LIST = re.compile(rb'\* LIST \(([^)]*)\) "/" ' + _NAME + rb'(?: \("OLDNAME" \(' + _NAME + rb"\)\))?")
STATUS = re.compile(rb"\* STATUS " + _NAME + rb" \(([^)]*)\)")
APPENDUID = re.compile(rb"t OK \[APPENDUID \d+ (\d+)\]")

NAMES = ("INBOX", "a", "a/b", "a/b/c", "b", "b/b", "INBOX/a", "çay & co")
ENOUGH = 6
"""With so many messages none is added to a mailbox."""

EVENTS = "MailboxName SubscriptionChange MessageNew MessageExpunge FlagChange"
LISTS = 'LIST "" * RETURN (SUBSCRIBED STATUS (UIDVALIDITY UIDNEXT MESSAGES UNSEEN))'

name = st.sampled_from(NAMES)
flag = st.sampled_from(["\\Seen", "\\Flagged", "\\Deleted"])
acts = st.tuples(
    st.sampled_from(
        ["append", "append", "+", "-", "expunge", "move", "create", "delete", "rename", "subscribe", "unsubscribe"]
    ),
    name,
    name,
    flag,
)


def text(word: bytes) -> str:
    """A name in UTF-8."""
    if word.startswith(b'"'):
        word = re.sub(rb"\\(.)", rb"\1", word[1:-1])
    return word.decode()


@dataclass
class Counted:
    """What a client knows of a mailbox; None where it cannot know."""

    attributes: frozenset[str]
    counters: dict[str, int | None]


class Picture(BelievingClient):
    """Mailboxes, subscriptions, and the messages of the selected mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.mailboxes: dict[str, Counted] = {}
        self.subscribed: set[str] = set()

    def hears(self, response: bytes, *, expunges: bool) -> None:
        """Applies an untagged response."""
        if found := LIST.fullmatch(response):
            attributes = frozenset(found[1].decode().split())
            if not attributes:
                return  # the name of a mailbox that was selected (RFC 9051 §6.3.2)
            if found[3] is not None:
                self.rename(text(found[3]), text(found[2]))
            self._lists(text(found[2]), attributes)
        elif found := STATUS.fullmatch(response):
            words = found[2].decode().split()
            # a STATUS of a name that this client does not know is of a mailbox that was renamed just now
            if text(found[1]) in self.mailboxes:
                counters = dict(zip(words[::2], map(int, words[1::2]), strict=True))
                self.mailboxes[text(found[1])].counters.update(counters)
        else:
            self.told(response, expunges=expunges)

    def _lists(self, name: str, attributes: frozenset[str]) -> None:
        (self.subscribed.add if "\\Subscribed" in attributes else self.subscribed.discard)(name)
        if "\\NonExistent" in attributes:
            self.mailboxes.pop(name, None)
            return
        attributes -= {"\\Subscribed"}
        if name not in self.mailboxes:
            self.mailboxes[name] = Counted(attributes, {"MESSAGES": 0, "UIDNEXT": 1, "UNSEEN": 0})
        self.mailboxes[name].attributes = attributes
        if "\\Noselect" in attributes:
            self.mailboxes[name].counters = {"MESSAGES": 0, "UIDNEXT": 1, "UNSEEN": 0}

    def rename(self, old: str, new: str) -> None:
        """A mailbox and all below it have other names."""
        for each in [each for each in self.mailboxes if each == old or each.startswith(old + "/")]:
            self.mailboxes[new + each[len(old) :]] = self.mailboxes.pop(each)

    def reckon_children(self) -> None:
        """Computes which mailboxes have others below them, after a command of its own."""
        for name, each in self.mailboxes.items():
            has = any(other.startswith(name + "/") for other in self.mailboxes)
            kept = each.attributes - {"\\HasChildren", "\\HasNoChildren"}
            each.attributes = kept | {"\\HasChildren" if has else "\\HasNoChildren"}


class Phone:
    """A client under NOTIFY."""

    def __init__(self, connection: Connection, selected: str, condstore: bool) -> None:
        self.picture = Picture()
        self.selected: str | None = None
        self.is_open = True
        self._connection = connection
        self._kind = selected
        self._condstore = condstore

    async def begin(self) -> None:
        await self._connection.response()
        await self.command("LOGIN linda Pa$$123")
        await self.command("ENABLE IMAP4rev2" + " CONDSTORE" * self._condstore)
        await self.command(LISTS)
        groups = f"({self._kind} (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal ({EVENTS}))"
        await self.command(f"NOTIFY SET STATUS {groups}")

    async def command(self, line: str, *, numbers: bool = False) -> bytes:
        """Sends a command and applies the answer; returns the tagged one. *numbers*: it has sequence numbers."""
        self.send("t " + line + "\r\n")
        return await self.answer(numbers=numbers)

    def send(self, octets: str) -> None:
        self._connection.wire.send(octets.encode())

    async def answer(self, *, numbers: bool = False) -> bytes:
        """Applies everything up to a tagged response, and returns that."""
        while (response := await self._connection.response()) is not None:
            if response.startswith(b"t "):
                return response
            # between two commands, and before this one was read, a client that asked for it is told of expunges
            self.picture.hears(response, expunges=not numbers or self._kind == "selected")
        self.is_open = False
        return b""

    async def select(self, name: str) -> None:
        self.leave()
        self.picture.selected()
        if (await self.command(f'SELECT "{name}"')).startswith(b"t OK"):
            self.selected = name
            await self.command("UID FETCH 1:* (FLAGS)")

    def leave(self) -> None:
        """The selected mailbox becomes one of the others, of which the client knows what it saw."""
        if self.selected is not None and self.selected in self.picture.mailboxes:
            seen = [known.flags is not None and "\\Seen" in known.flags for known in self.picture.known]
            told: dict[str, int | None] = {"MESSAGES": len(seen), "UIDNEXT": None, "UNSEEN": seen.count(False)}
            self.picture.mailboxes[self.selected].counters.update(told)
        self.selected = None
        self.picture.selected()


class PhoneAndDesk(RuleBasedStateMachine):
    """Each rule is a command of the phone, or some changes by the desk."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.world: MemoryWorld | None = None

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(kind=st.sampled_from(["selected", "selected-delayed"]), condstore=st.booleans())
    def begin(self, kind: str, condstore: bool) -> None:
        self.kind, self.condstore = kind, condstore
        self.run(self._begin())

    async def _begin(self) -> None:
        self.world = await open_world(parse("title"), None, by_octet=False)
        self.desk = Connection(await self.world.connect("imap"), literals=True)
        await self.desk.response()
        await self._desk("LOGIN linda Pa$$123")
        await self._desk("ENABLE IMAP4rev2")
        await self._connect()

    async def _connect(self) -> None:
        assert self.world is not None
        self.phone = Phone(Connection(await self.world.connect("imap"), literals=True), self.kind, self.condstore)
        await self.phone.begin()

    # The desk

    async def _desk(self, line: str) -> list[bytes]:
        """The responses to a command, the tagged one last; it may be NO."""
        self.desk.wire.send(b"d " + line.encode() + b"\r\n")
        came = [await self.desk.response() or b"d (closed)"]
        while not came[-1].startswith(b"d "):
            came.append(await self.desk.response() or b"d (closed)")
        assert came[-1].startswith((b"d OK", b"d NO")), came[-1]
        return came

    async def _desk_does(self, act: str, one: str, other: str, flag: str) -> None:
        match act:
            case "append":
                counters = await self._desk(f'STATUS "{one}" (MESSAGES)')
                if not any(b"MESSAGES %d)" % ENOUGH in line for line in counters):
                    await self._desk(f'APPEND "{one}" {{1+}}\r\nx')
            case "create" | "delete" | "subscribe" | "unsubscribe":
                await self._desk(f'{act} "{one}"')
            case "rename":
                await self._desk(f'RENAME "{one}" "{other}"')
            case _:
                if (await self._desk(f'SELECT "{one}"'))[-1].startswith(b"d OK"):
                    commands = {"expunge": "EXPUNGE", "move": f'UID MOVE * "{other}"'}
                    await self._desk(commands.get(act, f"UID STORE * {act}FLAGS ({flag})"))
                    await self._desk("UNSELECT")

    @rule(acts=st.lists(acts, min_size=1, max_size=6), held=st.booleans())
    def the_desk_is_busy(self, acts: list[tuple[str, str, str, str]], held: bool) -> None:
        """*held*: the phone has begun to send a command, so it is told of all these changes together."""
        if held:
            self.phone.send("t")
        for act in acts:
            self.run(self._desk_does(*act))
        if held:
            self.phone.send(" NOOP\r\n")
            self.run(self.phone.answer())
            self._reconnect()

    # The phone

    @rule(name=name)
    def selects(self, name: str) -> None:
        self.run(self.phone.select(name))
        self._reconnect()

    @precondition(lambda self: self.phone.selected)
    @rule()
    def unselects(self) -> None:
        self.phone.leave()
        self.run(self.phone.command("UNSELECT"))
        self._reconnect()

    @rule(act=st.sampled_from(["CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"]), name=name)
    def changes_a_name(self, act: str, name: str) -> None:
        picture = self.phone.picture
        if not self.run(self.phone.command(f'{act} "{name}"')).startswith(b"t OK"):
            self._reconnect()
            return
        match act:
            case "CREATE":
                if name not in picture.mailboxes or "\\Noselect" in picture.mailboxes[name].attributes:
                    counters: dict[str, int | None] = {"MESSAGES": 0, "UIDNEXT": 1, "UNSEEN": 0}
                    picture.mailboxes[name] = Counted(frozenset(), counters)
            case "DELETE":
                picture.mailboxes.pop(name, None)
                if self.phone.selected == name:
                    self.phone.selected = None
                    picture.selected()
            case "SUBSCRIBE":
                picture.subscribed.add(name)
            case _:
                picture.subscribed.discard(name)
        picture.reckon_children()

    @rule(old=name, new=name)
    def renames(self, old: str, new: str) -> None:
        if not self.run(self.phone.command(f'RENAME "{old}" "{new}"')).startswith(b"t OK"):
            self._reconnect()
            return
        if old != "INBOX":
            self.phone.picture.rename(old, new)
        if self.phone.selected is not None and (self.phone.selected + "/").startswith(old + "/") and old != "INBOX":
            self.phone.selected = new + self.phone.selected[len(old) :]
        self.phone.picture.reckon_children()

    @rule(name=name)
    def appends(self, name: str) -> None:
        counted = self.phone.picture.mailboxes.get(name)
        if counted is not None and (counted.counters["MESSAGES"] or 0) >= ENOUGH:
            return
        answer = self.run(self.phone.command(f'APPEND "{name}" {{1+}}\r\nx'))
        if (found := APPENDUID.match(answer)) and name != self.phone.selected:
            counters = self.phone.picture.mailboxes[name].counters
            counters.update(UIDNEXT=int(found[1]) + 1)
            for each in ("MESSAGES", "UNSEEN"):
                counters[each] = None if counters[each] is None else (counters[each] or 0) + 1
        if found and name == self.phone.selected:
            # RFC 5465 §5.2: there is no FETCH line for a message that the client added itself
            self.run(self.phone.command(f"UID FETCH {int(found[1])} (FLAGS)"))
        self._reconnect()

    @precondition(lambda self: self.phone.selected)
    @rule(flag=flag, how=st.sampled_from("+-"))
    def stores(self, flag: str, how: str) -> None:
        self.run(self.phone.command(f"UID STORE 1:* {how}FLAGS ({flag})"))
        self._reconnect()

    @precondition(lambda self: self.phone.selected)
    @rule()
    def expunges(self) -> None:
        self.run(self.phone.command("EXPUNGE"))
        self._reconnect()

    @precondition(lambda self: self.phone.selected and self.kind == "selected-delayed" and self.phone.picture.known)
    @rule()
    def asks_by_number(self) -> None:
        """A number means the same message to both, whatever was expunged (RFC 9051 §7.5.1)."""
        self.run(self.phone.command("FETCH 1:* (UID)", numbers=True))
        self._reconnect()

    def _reconnect(self) -> None:
        """The session ends if the selected mailbox is deleted."""
        if not self.phone.is_open:
            self.run(self._connect())

    @rule(command=st.sampled_from(["NOOP", "IDLE\r\nDONE"]))
    def has_heard_everything(self, command: str) -> None:
        self.run(self.phone.command(command))
        if self.phone.is_open:
            # between two commands, other mailboxes are told
            self.run(self.phone.command("NOOP"))
        self._reconnect()
        self.run(self._knows_the_truth())

    async def _knows_the_truth(self) -> None:
        truth = Picture()
        for response in await self._desk(LISTS):
            truth.hears(response, expunges=False)
        phone, picture = self.phone, self.phone.picture
        assert picture.mailboxes.keys() == truth.mailboxes.keys()
        for name, known in picture.mailboxes.items():
            assert known.attributes == truth.mailboxes[name].attributes, name
            if name == phone.selected or "\\Noselect" in known.attributes:
                continue
            for counter, value in truth.mailboxes[name].counters.items():
                assert known.counters.get(counter) in (None, value), (name, counter, known.counters)
        assert picture.subscribed & picture.mailboxes.keys() == truth.subscribed
        if phone.selected is not None:
            await self._desk(f'EXAMINE "{phone.selected}"')
            messages = Picture()
            for response in await self._desk("UID FETCH 1:* (FLAGS)"):
                if response.startswith(b"* "):
                    messages.known.append(Known())
                    messages.told(response, expunges=False)
            await self._desk("UNSELECT")
            assert picture.known == messages.known


PhoneAndDesk.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
test_a_client_under_notify_knows_the_account = PhoneAndDesk.TestCase
