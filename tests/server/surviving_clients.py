"""Clients for ``survivors``: their server is killed while they work, and they know what it has acknowledged.

Each client has its own mailboxes, so it knows what must be in them: everything that was acknowledged, and the result
of the last command without an answer, whole or not at all. LMTP clients share the INBOX of some accounts, and know
what must be in it.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.server.process import Process

PASSWORD = "Pa$$123"
SECONDS = 20.0
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "$One", "$Two")
SIZES = (0, 0, 200, 3000, 70_000, 300_000)
FIRST = ("INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash")
RECIPIENTS = ("anna", "berta", "carla")

Flags = frozenset[str]


class Cut(Exception):
    """The server has died, or ends."""


class Line:
    """A connection that is read by lines or octets."""

    def __init__(self, port: int) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        except OSError as error:
            raise Cut from error
        self._file = self._socket.makefile("rb")

    def send(self, octets: bytes) -> None:
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise Cut from error

    def line(self) -> bytes:
        return self._whole(self._read_line)

    def octets(self, count: int) -> bytes:
        return self._whole(lambda: self._file.read(count), count)

    def _read_line(self) -> bytes:
        line = self._file.readline()
        return line if line.endswith(b"\n") else b""

    def _whole(self, read: object, count: int = 1) -> bytes:
        assert callable(read)
        try:
            found: bytes = read()
        except TimeoutError:
            raise AssertionError("no answer, and the connection stands") from None
        except OSError as error:
            raise Cut from error
        if len(found) < count:
            raise Cut
        return found

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Imap:
    """A session of one account."""

    def __init__(self, port: int, name: str) -> None:
        self._line = Line(port)
        self._tags = 0
        try:
            self._line.line()
            self.run(f'LOGIN {name} "{PASSWORD}"'.encode())
        except BaseException:
            self.close()
            raise

    def run(self, *pieces: bytes) -> list[bytes]:
        """Sends a command, where every second piece is a literal; returns the answers. Raises Cut; NO is an error."""
        self._tags += 1
        tag = b"t%d" % self._tags
        command = b"".join(
            b"{%d+}\r\n%b" % (len(piece), piece) if number % 2 else piece for number, piece in enumerate(pieces)
        )
        self._line.send(b"%b %b\r\n" % (tag, command))
        answers: list[bytes] = []
        while True:
            answer = self._answer()
            if answer.startswith(b"* BYE"):
                raise Cut
            if not answer.startswith(b"*"):
                break
            answers.append(answer)
        assert answer.startswith(tag + b" OK"), (pieces[0], answer)
        return [*answers, answer]

    def _answer(self) -> bytes:
        """One response with its literals."""
        answer = self._line.line()
        while found := re.search(rb"\{(\d+)\}\r\n\Z", answer):
            answer += self._line.octets(int(found[1])) + self._line.line()
        return answer

    def close(self) -> None:
        self._line.close()


@dataclass
class Box:
    """What must be in a mailbox."""

    messages: dict[int, tuple[bytes, Flags]] = field(default_factory=dict)

    def copy(self) -> Box:
        return Box(dict(self.messages))

    def content(self) -> list[tuple[bytes, Flags]]:
        """The messages in order, without UIDs, because a client that was cut off was not told these."""
        return [self.messages[uid] for uid in sorted(self.messages)]


Boxes = dict[str, Box]


class History:
    """What was seen of mailboxes, by UIDVALIDITY: no UID is used twice, and no modseq is lower than an earlier one."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int], dict[int, bytes]] = {}
        self._highest: dict[tuple[str, int], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def note(self, name: str, validity: int, uid: int, text: bytes) -> None:
        with self._lock:
            before = self._texts.setdefault((name, validity), {}).setdefault(uid, text)
        assert before == text, f"UID {uid} of {name} is another message now"

    def come_so_far(self, name: str, validity: int, uidnext: int, modseq: int) -> None:
        with self._lock:
            before = self._highest.get((name, validity), (0, 0))
            self._highest[name, validity] = (uidnext, modseq)
            known = max(self._texts.get((name, validity), {0: b""}))
        assert uidnext >= before[0], f"UIDNEXT of {name} went back from {before[0]} to {uidnext}"
        assert modseq >= before[1], f"HIGHESTMODSEQ of {name} went back from {before[1]} to {modseq}"
        assert uidnext > known


def message(random: random.Random, who: str, number: int) -> bytes:
    text = random.randbytes(random.choice(SIZES) // 2).hex().encode()
    return b"Subject: %b %d\r\n\r\n%b\r\n.\r\nend\r\n" % (who.encode(), number, re.sub(rb"(.{70})", rb"\1\r\n", text))


class Scene:
    """What all clients share: the current server, the history, and the sign to end."""

    def __init__(self) -> None:
        self.process: Process | None = None
        self.history = History()
        self.answered = 0
        self.is_over = False
        self.failure: BaseException | None = None
        self.changed = threading.Condition()

    def note_answer(self) -> None:
        with self.changed:
            self.answered += 1
            self.changed.notify_all()

    def port(self, service: str) -> int:
        """The port of the current server; waits for one."""
        with self.changed:
            self.changed.wait_for(lambda: self.process is not None or self.is_over, SECONDS)
            if self.process is None:
                raise Cut
            return self.process.ports[service]

    def serve(self, process: Process | None) -> None:
        """Makes *process* the current server."""
        with self.changed:
            self.process = process
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self.changed:
            self.failure = self.failure or error
            self.changed.notify_all()

    def wait_for_answers(self, count: int) -> None:
        """Returns when *count* more changes were answered. Raises the error of a client."""
        with self.changed:
            goal = self.answered + count
            came = self.changed.wait_for(lambda: self.answered >= goal or self.failure is not None, 3 * SECONDS)
            if self.failure is not None:
                raise self.failure
            assert came, f"{self.answered} answers, and no more"

    def end(self, clients: Iterable[Client]) -> None:
        """Waits for all clients to end. Raises the error of a client."""
        self.is_over = True
        with self.changed:
            self.changed.notify_all()
        for client in clients:
            if client.ident is not None:
                client.join(3 * SECONDS)
        if self.failure is not None:
            raise self.failure


class Client(threading.Thread):
    """Works until the scene ends; an error of a client is the failure of the scene."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.scene = scene
        self.account = name
        self.random = random.Random(f"{seed} {name}")
        self.number = 0

    def run(self) -> None:
        try:
            while not self.scene.is_over:
                try:
                    self.work()
                except Cut:
                    with self.scene.changed:  # a pause, because a worker is started after a pause
                        self.scene.changed.wait(0.02)
        except BaseException as error:
            self.scene.fail(error)

    def message(self) -> bytes:
        self.number += 1
        return message(self.random, self.name, self.number)

    def work(self) -> None:
        """Works until the server has died."""
        raise NotImplementedError

    def check(self) -> None:
        """Checks the account at the end, when a server runs."""
        raise NotImplementedError


class Owner(Client):
    """Uses its own account over IMAP and POP3: only the result of the last command may be unknown."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        super().__init__(scene, name, seed)
        self.boxes: Boxes = {name: Box() for name in FIRST}
        self.doings = (self.append,) * 3 + (self.store,) * 2 + (self.copy, self.move, self.expunge, self.create)
        self.doings += (self.rename, self.delete, self.retrieve)
        self.before = self.boxes
        self.pending: Boxes | None = None
        """What must be in the mailboxes if the last command, which was not answered, was done."""

    def work(self) -> None:
        imap = Imap(self.scene.port("imap"), self.account)
        try:
            self.agree(imap)
            while not self.scene.is_over:
                doing = self.random.choice(self.doings)
                before = {name: box.copy() for name, box in self.boxes.items()}
                if doing(imap):
                    self.pending = None
                    self.scene.note_answer()
                else:
                    self.boxes = before
        finally:
            imap.close()

    def check(self) -> None:
        imap = Imap(self.scene.port("imap"), self.account)
        self.agree(imap)
        imap.close()

    # What is stored

    def agree(self, imap: Imap) -> None:
        """Asserts that the account is as it was before the last command, or as it is after it."""
        found = self.found(imap)
        told = {name: box.content() for name, box in found.items()}
        candidates = [self.boxes] + ([self.pending] if self.pending is not None else [])
        assert any(told == {name: box.content() for name, box in each.items()} for each in candidates), (
            f"{self.name}: half done, or lost: {differences(found, candidates)}"
        )
        self.boxes, self.pending = found, None

    def found(self, imap: Imap) -> Boxes:
        names = [line.split(b" ")[-1].strip(b'"\r\n').decode() for line in imap.run(b'LIST "" "*"')[:-1]]
        return {name: self.content(imap, name) for name in names}

    def content(self, imap: Imap, name: str) -> Box:
        told = b"".join(imap.run(b"EXAMINE %b (CONDSTORE)" % name.encode()))
        validity, uidnext, modseq = (
            int(re.findall(rb"\[%b (\d+)\]" % word, told)[0]) for word in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ")
        )
        box = Box()
        for answer in imap.run(b"UID FETCH 1:* (UID FLAGS BODY.PEEK[])")[:-1]:
            if not (head := re.match(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) BODY\[\] \{(\d+)\}\r\n", answer)):
                continue
            text = answer[head.end() : head.end() + int(head[3])]
            self.scene.history.note(f"{self.account}/{name}", validity, int(head[1]), text)
            box.messages[int(head[1])] = text, frozenset(head[2].decode().split()) - {"\\Recent"}
        exists = re.search(rb"\* (\d+) EXISTS", told)
        assert exists is not None
        assert int(exists[1]) == len(box.messages)
        self.scene.history.come_so_far(f"{self.account}/{name}", validity, uidnext, modseq)
        imap.run(b"UNSELECT")
        return box

    # Changes; each method returns whether there was something to change

    def change(self, imap: Imap, *pieces: bytes, select: str = "") -> bytes:
        """Runs the command that leads to ``self.boxes``. It is done when this returns, and perhaps when it raises."""
        after, self.boxes = self.boxes, self.before
        if select:
            imap.run(b"SELECT " + select.encode())
        self.pending = after
        answer = imap.run(*pieces)
        self.boxes = after
        if select:
            imap.run(b"UNSELECT")
        return b"".join(answer)

    def begin(self) -> Boxes:
        """Begins a change; returns the mailboxes, in which the caller makes the change."""
        self.before = self.boxes
        self.boxes = {name: box.copy() for name, box in self.boxes.items()}
        return self.boxes

    def some_box(self, *, full: bool = False) -> str:
        names = [name for name, box in self.boxes.items() if box.messages or not full]
        return self.random.choice(sorted(names)) if names else ""

    def some_uids(self, name: str) -> list[int]:
        there = sorted(self.boxes[name].messages)
        return sorted(self.random.sample(there, self.random.randint(1, min(4, len(there)))))

    def some_flags(self) -> Flags:
        return frozenset(self.random.sample(FLAGS, self.random.randint(0, 2)))

    def append(self, imap: Imap) -> bool:
        name = self.some_box()
        boxes = self.begin()
        pieces = [b"APPEND %b" % name.encode()]
        next_uid = max(boxes[name].messages, default=0) + 1
        for number in range(self.random.choice((1, 1, 1, 2, 5))):
            flags, text = self.some_flags(), self.message()
            pieces[-1] += b" (%b) " % " ".join(sorted(flags)).encode()
            pieces += [text, b""]
            boxes[name].messages[next_uid + number] = text, flags
        answer = self.change(imap, *pieces)
        self.adopt(boxes[name], next_uid, answer, rb"APPENDUID (\d+) ([\d:,]+)", name)
        return True

    def adopt(self, box: Box, first: int, answer: bytes, pattern: bytes, name: str) -> None:
        """Replaces the assumed UIDs by those that the server has assigned."""
        told = re.search(pattern, answer)
        assert told is not None
        new = sorted(uid for uid in box.messages if uid >= first)
        messages = [box.messages.pop(uid) for uid in new]
        for uid, each in zip(numbers(told[told.lastindex or 0]), messages, strict=True):
            box.messages[uid] = each
            self.scene.history.note(f"{self.account}/{name}", int(told[1]), uid, each[0])

    def store(self, imap: Imap) -> bool:
        if not (name := self.some_box(full=True)):
            return False
        box = self.begin()[name]
        chosen, flags, how = self.some_uids(name), self.some_flags(), self.random.choice(("+", "-", ""))
        for uid in chosen:
            text, before = box.messages[uid]
            box.messages[uid] = text, {"+": before | flags, "-": before - flags, "": flags}[how]
        words = f"UID STORE {listed(chosen)} {how}FLAGS.SILENT ({' '.join(sorted(flags))})"
        self.change(imap, words.encode(), select=name)
        return True

    def copy(self, imap: Imap, word: str = "COPY") -> bool:
        source, target = self.some_box(full=True), self.some_box()
        if not source or source == target:
            return False
        boxes = self.begin()
        chosen = self.some_uids(source)
        first = max(boxes[target].messages, default=0) + 1
        for number, uid in enumerate(chosen):
            boxes[target].messages[first + number] = boxes[source].messages[uid]
            if word == "MOVE":
                del boxes[source].messages[uid]
        answer = self.change(imap, f"UID {word} {listed(chosen)} {target}".encode(), select=source)
        self.adopt(boxes[target], first, answer, rb"COPYUID (\d+) [\d:,]+ ([\d:,]+)", target)
        return True

    def move(self, imap: Imap) -> bool:
        return self.copy(imap, "MOVE")

    def expunge(self, imap: Imap) -> bool:
        if not (name := self.some_box(full=True)):
            return False
        box = self.begin()[name]
        box.messages = {uid: each for uid, each in box.messages.items() if "\\Deleted" not in each[1]}
        self.change(imap, b"EXPUNGE", select=name)
        return True

    def create(self, imap: Imap) -> bool:
        if len(self.boxes) > len(FIRST) + 4:
            return False
        self.number += 1
        self.begin()[name := f"box{self.number}"] = Box()
        self.change(imap, f"CREATE {name}".encode())
        return True

    def rename(self, imap: Imap) -> bool:
        if (name := self.some_box()) in FIRST:
            return False
        self.number += 1
        boxes = self.begin()
        boxes[new := f"box{self.number}"] = boxes.pop(name)
        self.change(imap, f"RENAME {name} {new}".encode())
        return True

    def delete(self, imap: Imap) -> bool:
        if (name := self.some_box()) in FIRST or self.random.random() < 0.5:
            return False
        del self.begin()[name]
        self.change(imap, f"DELETE {name}".encode())
        return True

    def retrieve(self, imap: Imap) -> bool:
        """Deletes some messages of INBOX over POP3."""
        if not self.boxes["INBOX"].messages:
            return False
        uids = sorted(self.boxes["INBOX"].messages)
        box = self.begin()["INBOX"]
        after, self.boxes = self.boxes, self.before
        drop = Line(self.scene.port("pop3"))
        try:
            drop.line()
            for command in (f"USER {self.account}", f"PASS {PASSWORD}"):
                drop.send(f"{command}\r\n".encode())
                assert (answer := drop.line()).startswith(b"+OK"), answer
            for uid in self.some_uids("INBOX"):
                drop.send(b"DELE %d\r\n" % (uids.index(uid) + 1))
                if not (answer := drop.line()).startswith(b"+OK"):
                    raise Cut
                del box.messages[uid]
            self.pending = after
            drop.send(b"QUIT\r\n")
            assert (answer := drop.line()).startswith(b"+OK"), answer
            self.boxes = after
        finally:
            drop.close()
        return True


class Carrier(Client):
    """Delivers mail over LMTP, to several recipients at once."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        super().__init__(scene, name, seed)
        self.told: dict[str, set[bytes]] = {name: set() for name in RECIPIENTS}
        self.tried: dict[str, set[bytes]] = {name: set() for name in RECIPIENTS}

    def work(self) -> None:
        line = Line(self.scene.port("lmtp"))
        try:
            line.line()
            self.say(line, b"LHLO here")
            while not self.scene.is_over:
                self.deliver(line)
        finally:
            line.close()

    def say(self, line: Line, words: bytes) -> bytes:
        line.send(words + b"\r\n")
        while (answer := line.line())[3:4] == b"-":
            pass
        if answer.startswith(b"421"):
            raise Cut
        return answer

    def deliver(self, line: Line) -> None:
        names = self.random.sample(RECIPIENTS, self.random.randint(1, len(RECIPIENTS)))
        text = self.message()
        self.say(line, b"MAIL FROM:<>")
        for name in names:
            assert (answer := self.say(line, f"RCPT TO:<{name}>".encode())).startswith(b"250"), answer
        assert (answer := self.say(line, b"DATA")).startswith(b"354"), answer
        for name in names:
            self.tried[name].add(text)
        line.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
        for name in names:
            answer = line.line()
            if answer.startswith(b"421"):
                raise Cut
            assert answer.startswith(b"250"), answer
            self.told[name].add(text)
            self.scene.note_answer()

    def check(self) -> None:
        for name in RECIPIENTS:
            reader = Owner(self.scene, name, 0)
            imap = Imap(self.scene.port("imap"), name)
            texts = [text for text, _ in reader.content(imap, "INBOX").content()]
            imap.close()
            mine = [text for text in texts if text.startswith(b"Subject: %b " % self.name.encode())]
            assert len(set(mine)) == len(mine), f"{name} has mail twice"
            assert self.told[name] <= set(mine), f"{name} lacks mail"
            assert set(mine) <= self.tried[name], f"{name} has mail that nobody sent"


def listed(uids: list[int]) -> str:
    return ",".join(map(str, uids))


def numbers(said: bytes) -> Iterator[int]:
    for run in said.split(b","):
        first, _, last = run.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def differences(found: Boxes, candidates: list[Boxes]) -> str:
    lines: list[str] = []
    for number, each in enumerate(candidates):
        for name in sorted(found.keys() | each.keys()):
            there, wanted = found.get(name), each.get(name)
            if there is None or wanted is None or there.content() != wanted.content():
                lines.append(f"[{number}] {name}: {brief(there)} and not {brief(wanted)}")
    return "; ".join(lines)


def brief(box: Box | None) -> str:
    if box is None:
        return "none"
    return str([(text[:24], len(text), *sorted(flags)) for text, flags in box.content()])


# The server, and its deaths
