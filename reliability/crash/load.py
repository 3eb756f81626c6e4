"""Clients that change mail all the time, and note each operation and each answer in the journals."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Sequence

from reliability.clients.imap import Answer, Imap
from reliability.clients.line import Cut
from reliability.clients.lmtp import Lmtp
from reliability.clients.pop3 import Pop3
from reliability.crash.mail import digest_of
from reliability.crash.scene import Scene
from reliability.crash.view import View, fetch_line, flags_of, listed, numbers, vanished
from reliability.journal.account import AccountJournal
from reliability.journal.operations import (
    Append,
    Between,
    Create,
    Date,
    Delete,
    Deliver,
    Expunge,
    Flags,
    How,
    Operation,
    Remove,
    Rename,
    Sent,
    Store,
    Subscribe,
    Transfer,
    TreeOperation,
)

PASSWORD = "Pa$$123"
SHARED = ("INBOX", "Archive", "Sent")
"""The mailboxes that all clients of an account use."""
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Work", "$Later")
FEW_MESSAGES = 12
"""With more messages in a mailbox, clients remove some before they add others."""
MOST_RECIPIENTS = 5
"""Of one message."""
MOST_MAILBOXES = 5
"""Of one client below its own name."""
RETRY_SECONDS = 0.02

_WHOLE = re.compile(
    rb'\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\) INTERNALDATE "([^"]+)" BODY\[\] \{(\d+)\}\r\n'
)


class Client(threading.Thread):
    """Works until the scene ends; an error of a client is the failure of the scene."""

    def __init__(self, scene: Scene, name: str, seed: str) -> None:
        super().__init__(name=name, daemon=True)
        self.scene = scene
        self.chance = random.Random(f"{seed} {name}")

    def run(self) -> None:
        try:
            while not self.scene.is_over:
                self.scene.rest_if_asked()
                try:
                    self.work()
                except Cut as cut:
                    self.was_cut(cut)
        except BaseException as error:
            self.scene.fail(error)

    def port(self, service: str) -> int:
        """The port of a running server."""
        return self.scene.port(service, self.chance.randrange)

    def was_cut(self, cut: Cut) -> None:
        """Waits a moment before the next connection; *cut* is how the last one ended."""
        time.sleep(RETRY_SECONDS)

    def imap(self, name: str) -> Imap:
        """A new session of the account *name*. Raises Cut."""
        return Imap(self.port("imap"), name, PASSWORD)

    def work(self) -> None:
        """Works until the server has died."""
        raise NotImplementedError


class Carrier(Client):
    """Delivers mail over LMTP, to several recipients at once."""

    def work(self) -> None:
        line = Lmtp(self.port("lmtp"))
        try:
            while not self.scene.is_over:
                self.scene.rest_if_asked()
                self._deliver(line)
        finally:
            line.close()

    def _deliver(self, line: Lmtp) -> None:
        most = min(MOST_RECIPIENTS, len(self.scene.journals))
        names = self.chance.sample(sorted(self.scene.journals), self.chance.randint(1, most))
        mail, raw = self.scene.post.write(self.chance)
        line.offer("crash@example.org", names)
        operations = {}
        for name in names:
            message = Sent(mail.digest, frozenset(), Between(time.time(), float("inf")))
            operations[name] = Deliver(client=self.name, message=message)
            self.scene.journals[name].begin(operations[name])
        for name, reply in line.send(raw, names):
            if reply.startswith(b"250"):
                self.scene.journals[name].delivered(operations[name])
                self.scene.note_answer()
            else:
                self.scene.journals[name].refuse(operations[name], reply.decode())
        time.sleep(self.chance.random() * 0.03)  # IMAP clients are to do more than LMTP clients


class Reader(Client):
    """Uses an account over IMAP, and sometimes POP3; other readers may use it at the same time."""

    def __init__(self, scene: Scene, journal: AccountJournal, name: str, seed: str, *, is_alone: bool) -> None:
        super().__init__(scene, name, seed)
        self.journal = journal
        self.view: View | None = None
        self.is_connected = False
        self._root = name
        self._number = 0
        adding: tuple[Callable[[Imap], None], ...] = (self.append, self.append, self.copy)
        removing: tuple[Callable[[Imap], None], ...] = (self.move, self.expunge, self.retrieve)
        others: tuple[Callable[[Imap], None], ...] = (self.store, self.store, self.store_pipelined, self.change_tree)
        self._calm, self._full = adding * 2 + removing + others, removing * 3 + others
        self._others = others + ((self.rename_inbox,) if is_alone else ())

    def work(self) -> None:
        imap = self.imap(self.journal.name)
        self.is_connected = True
        try:
            self.select(imap)
            while not self.scene.is_over:
                self.scene.rest_if_asked()
                if self.chance.random() < 0.15:
                    self.select(imap)
                elif self.chance.random() < 0.3:
                    self.look(imap)
                assert self.view is not None
                choices = self._full if len(self.view.messages) > FEW_MESSAGES else self._calm
                if self.chance.random() < 0.05:
                    choices = self._others
                self.chance.choice(choices)(imap)
        finally:
            self.is_connected = False
            imap.close()

    # What is there

    def select(self, imap: Imap) -> None:
        """Opens one of the mailboxes, and gets to know its messages."""
        name = self._some_name()
        answer = imap.run(b'SELECT "%b" (CONDSTORE)' % name.encode())
        if not answer.is_ok:
            # another client may have deleted it; nothing is selected then
            name, answer = "INBOX", imap.must(b"SELECT INBOX (CONDSTORE)")
        validity = answer.number(b"UIDVALIDITY")
        if name.startswith(f"{self._root}-"):
            # nobody else gives the name to another mailbox meanwhile
            self.journal.bind(name, validity)
        self.journal.numbers(validity, uidnext=answer.number(b"UIDNEXT"), modseq=answer.number(b"HIGHESTMODSEQ"))
        self.view = View(validity, 0)
        self.view.note(answer)
        self.look(imap)

    def look(self, imap: Imap) -> None:
        """Reads what is new in the mailbox; also the octets of messages that nobody has read."""
        view = self._view
        last = max(view.messages, default=0)
        answer = self._run(imap, b"UID FETCH %d:* (UID FLAGS MODSEQ)" % (last + 1))
        lines = [line for each in answer.untagged if (line := fetch_line(each)) is not None and line.uid > last]
        gone = {uid for each in answer.untagged for uid in vanished(each)}
        view.messages.update({line.uid: line.flags or frozenset() for line in lines if line.uid not in gone})
        mailbox = self.journal.mailbox(view.validity)
        unread = [line.uid for line in lines if line.uid not in mailbox.messages]
        if not unread:
            return
        answer = imap.must(b"UID FETCH %b (UID FLAGS MODSEQ INTERNALDATE BODY.PEEK[])" % listed(unread))
        for each in answer.untagged:
            if (found := parsed_message(each)) is not None:
                uid, flags, modseq, date, body = found
                self.journal.found(view.validity, uid, digest_of(body), date, modseq, flags)
        self.note(answer)

    @property
    def _view(self) -> View:
        assert self.view is not None
        return self.view

    def _run(self, imap: Imap, *pieces: bytes) -> Answer:
        """Runs a command that is allowed to fail, and notes what it tells of the mailbox."""
        answer = imap.run(*pieces)
        assert not answer.tagged.startswith(b"BAD"), (pieces[0], answer.tagged)
        self.note(answer)
        return answer

    def note(self, answer: Answer, store: Store | None = None) -> None:
        view = self._view
        for each in answer.untagged:
            line = fetch_line(each)
            if line is not None and line.modseq is not None:
                by = store if store is not None and line.uid in store.uids else None
                self.journal.told(view.validity, line.uid, line.modseq, line.flags, by)
            elif gone := vanished(each):
                self.journal.vanished(view.validity, gone)
        view.note(answer, store)

    # Choices

    def _some_name(self) -> str:
        """A mailbox: mostly one of those that all share."""
        if self.chance.random() < 0.7:
            return self.chance.choice(SHARED)
        with self.journal.lock:
            return self.chance.choice(sorted(self.journal.names))

    def _own_names(self) -> list[str]:
        with self.journal.lock:
            return sorted(name for name in self.journal.names if name.startswith(f"{self._root}-"))

    def _has_unanswered(self) -> bool:
        """Whether its connection broke off during an operation, so that it does not know its mailboxes for sure."""
        with self.journal.lock:
            return any(each.client == self.name for each in self.journal.pending)

    def _some_uids(self, most: int = 4) -> frozenset[int]:
        """Messages of the selected mailbox that the journal knows as living."""
        with self.journal.lock:
            living = self.journal.mailbox(self._view.validity).living()
        known = sorted(living.keys() & self._view.messages.keys())
        return frozenset(self.chance.sample(known, min(len(known), self.chance.randint(1, most))))

    def _some_flags(self) -> Flags:
        return frozenset(self.chance.sample(FLAGS, self.chance.randint(0, 2)))

    def _some_date(self) -> str | None:
        if self.chance.random() < 0.3:
            return None
        day, hour = self.chance.randint(1, 28), self.chance.randint(0, 23)
        zone = self.chance.choice(("+0000", "-0330", "+0545", "+1300"))
        month, year = self.chance.choice(("Jan", "Jul", "Dec")), self.chance.randint(1995, 2025)
        return f"{day:2d}-{month}-{year} {hour:02d}:10:59 {zone}"

    # Changes of messages

    def append(self, imap: Imap) -> None:
        """APPEND, also of several messages."""
        name = self._some_name()
        pieces = [b'APPEND "%b"' % name.encode()]
        sent = []
        for _ in range(self.chance.choice((1, 1, 1, 2, 5))):
            mail, raw = self.scene.post.write(self.chance)
            flags, date = self._some_flags(), self._some_date()
            pieces[-1] += b" (%b)" % " ".join(sorted(flags)).encode() + (f' "{date}" ' if date else " ").encode()
            pieces += [raw, b""]
            known: Date = date if date is not None else Between(time.time(), float("inf"))
            sent.append(Sent(mail.digest, flags, known))
        operation = Append(client=self.name, target=name, messages=sent)
        answer = self._begin(imap, operation, *pieces)
        if answer.is_ok:
            told = answer.find(rb"APPENDUID (\d+) ([\d:,]+)")
            assert told is not None, answer
            self.journal.appended(operation, int(told[1]), list(numbers(told[2])))
            self.scene.note_answer()

    def copy(self, imap: Imap, *, is_move: bool = False) -> None:
        """COPY or MOVE."""
        if not (uids := self._some_uids()):
            return
        target = self._some_name()
        operation = Transfer(client=self.name, source=self._view.validity, uids=uids, target=target, is_move=is_move)
        word = b"MOVE" if is_move else b"COPY"
        answer = self._begin(imap, operation, b'UID %b %b "%b"' % (word, listed(uids), target.encode()))
        if not answer.is_ok:
            return
        told = answer.find(rb"COPYUID (\d+) ([\d:,]+) ([\d:,]+)")
        pairs = dict(zip(numbers(told[2]), numbers(told[3]), strict=True)) if told is not None else {}
        self.journal.transferred(operation, int(told[1]) if told is not None else 0, pairs)
        self.scene.note_answer()

    def move(self, imap: Imap) -> None:
        """MOVE."""
        self.copy(imap, is_move=True)

    def _some_store(self) -> tuple[Store, bytes] | None:
        if not (uids := self._some_uids(8)):
            return None
        how, flags = self.chance.choice(tuple(How)), self._some_flags()
        conditional = b""
        if self.chance.random() < 0.25:
            modseq = self.chance.choice((self._view.modseq, self._view.modseq, max(1, self._view.modseq - 5)))
            conditional = b" (UNCHANGEDSINCE %d)" % modseq
        silent = b".SILENT" if self.chance.random() < 0.3 else b""
        operation = Store(
            client=self.name,
            mailbox=self._view.validity,
            uids=uids,
            how=how,
            flags=flags,
            is_conditional=bool(conditional),
        )
        words = " ".join(sorted(flags)).encode()
        return operation, b"UID STORE %b%b %bFLAGS%b (%b)" % (
            listed(uids),
            conditional,
            how.value.encode(),
            silent,
            words,
        )

    def store(self, imap: Imap) -> None:
        """STORE."""
        if (chosen := self._some_store()) is not None:
            self._run_stores(imap, [chosen])

    def store_pipelined(self, imap: Imap) -> None:
        """Several STOREs, sent at once."""
        chosen = [each for _ in range(self.chance.randint(2, 4)) if (each := self._some_store()) is not None]
        self._run_stores(imap, chosen)

    def _run_stores(self, imap: Imap, chosen: list[tuple[Store, bytes]]) -> None:
        for operation, _ in chosen:
            self.journal.begin(operation)
        answers = imap.run_all([(command,) for _, command in chosen])
        for (operation, command), answer in zip(chosen, answers, strict=True):
            assert not answer.tagged.startswith(b"BAD"), (command, answer.tagged)
            self.note(answer, operation)
            if not answer.is_ok:
                self.journal.refuse(operation, answer.tagged.decode())
                continue
            failed = modified(answer)
            self.journal.stored(operation, failed)
            self.scene.note_answer()

    def expunge(self, imap: Imap) -> None:
        """EXPUNGE, or STORE and UID EXPUNGE."""
        uids: frozenset[int] | None = None
        if self.chance.random() < 0.6:
            if not (uids := self._some_uids()):
                return
            store = Store(
                client=self.name,
                mailbox=self._view.validity,
                uids=uids,
                how=How.ADD,
                flags=frozenset({"\\Deleted"}),
            )
            self._run_stores(imap, [(store, b"UID STORE %b +FLAGS (\\Deleted)" % listed(uids))])
        operation = Expunge(client=self.name, mailbox=self._view.validity, uids=uids)
        command = b"EXPUNGE" if uids is None else b"UID EXPUNGE %b" % listed(uids)
        answer = self._begin(imap, operation, command)
        if answer.is_ok:
            self.journal.removed(operation, operation.mailbox, self.journal.must_be_expunged(operation))
            self.scene.note_answer()

    def retrieve(self, imap: Imap) -> None:
        """Deletes messages of INBOX over POP3."""
        drop = Pop3(self.port("pop3"), self.journal.name, PASSWORD)
        try:
            unique_ids = {unique_id: number for number, unique_id in drop.unique_ids().items()}
            with self.journal.lock:
                validity = self.journal.names["INBOX"]
                living = self.journal.mailbox(validity).living()
            there = {uid: number for uid in living if (number := unique_ids.get(f"{uid:08x}{validity:08x}"))}
            chosen = self.chance.sample(sorted(there), min(len(there), self.chance.randint(1, 4)))
            if not chosen:
                return
            for uid in chosen:
                drop.delete(there[uid])
            operation = Remove(client=self.name, mailbox=validity, uids=frozenset(chosen))
            self.journal.begin(operation)
            drop.quit()
            self.journal.removed(operation, validity, chosen)
            self.scene.note_answer()
        finally:
            drop.close()

    # Changes of mailboxes, below the client's own name

    def change_tree(self, imap: Imap) -> None:
        """CREATE, DELETE, RENAME, SUBSCRIBE or UNSUBSCRIBE."""
        if self._has_unanswered():
            return
        own = self._own_names()
        choice = self.chance.choice(("create", "delete", "rename", "subscribe"))
        if not own or choice == "create":
            self._create(imap, own)
        elif choice == "delete":
            with self.journal.lock:
                names = tuple(self.journal.names)
            leaf = self.chance.choice([each for each in own if not any(name.startswith(f"{each}/") for name in names)])
            self._change_tree(imap, Delete(client=self.name, name=leaf), b'DELETE "%b"' % leaf.encode())
        elif choice == "rename":
            old, new = self.chance.choice(own), self._new_name(own)
            if not new.startswith(f"{old}/"):
                command = b'RENAME "%b" "%b"' % (old.encode(), new.encode())
                self._change_tree(imap, Rename(client=self.name, old=old, new=new), command)
        else:
            name = self.chance.choice(own)
            is_wanted = name not in self.journal.subscribed
            word = b"SUBSCRIBE" if is_wanted else b"UNSUBSCRIBE"
            operation = Subscribe(client=self.name, name=name, is_wanted=is_wanted)
            self._change_tree(imap, operation, b'%b "%b"' % (word, name.encode()))

    def _create(self, imap: Imap, own: list[str]) -> None:
        if len(own) < MOST_MAILBOXES:
            name = self._new_name(own) + self.chance.choice(("", "", "", "/x"))
            self._change_tree(imap, Create(client=self.name, name=name), b'CREATE "%b"' % name.encode())

    def _new_name(self, own: list[str]) -> str:
        self._number += 1
        if own and self.chance.random() < 0.4:
            return f"{self.chance.choice(own)}/{self._number}"
        return f"{self._root}-{self._number}"

    def rename_inbox(self, imap: Imap) -> None:
        """RENAME of INBOX, which moves its messages."""
        if len(self._own_names()) >= MOST_MAILBOXES or self._has_unanswered():
            return
        new = self._new_name([])
        with self.journal.lock:
            living = self.journal.mailbox(self.journal.names["INBOX"]).living()
        inbox = {uid: message.digest for uid, message in living.items()}
        operation = Rename(client=self.name, old="INBOX", new=new, inbox=inbox)
        self._change_tree(imap, operation, b'RENAME INBOX "%b"' % new.encode())

    def _change_tree(self, imap: Imap, operation: TreeOperation, command: bytes) -> None:
        answer = self._begin(imap, operation, command)
        if not answer.is_ok:
            return
        self.journal.changed_tree(operation)
        self.scene.note_answer()
        if isinstance(operation, Delete):
            # it may have been the selected one
            self.select(imap)
        elif isinstance(operation, Create):
            told = self._run(imap, b'STATUS "%b" (UIDVALIDITY)' % operation.name.encode())
            found = told.find(rb"UIDVALIDITY (\d+)")
            assert found is not None, told
            self.journal.bind(operation.name, int(found[1]))

    def _begin(self, imap: Imap, operation: Operation, *pieces: bytes) -> Answer:
        """Runs a command; notes in the journal that it began, and its refusal."""
        self.journal.begin(operation)
        answer = self._run(imap, *pieces)
        if not answer.is_ok:
            self.journal.refuse(operation, answer.tagged.decode())
        return answer


def parsed_message(answer: bytes) -> tuple[int, Flags, int, str, bytes] | None:
    """UID, flags, modseq, date and octets of a FETCH line that has them in this order; None for another answer."""
    if (head := _WHOLE.match(answer)) is None:
        return None
    body = answer[head.end() : head.end() + int(head[5])]
    return int(head[1]), flags_of(head[2]), int(head[3]), head[4].decode(), body


def modified(answer: Answer) -> Sequence[int]:
    """The UIDs of MODIFIED."""
    found = answer.find(rb"\[MODIFIED ([\d:,]+)\]")
    return list(numbers(found[1])) if found is not None else ()
