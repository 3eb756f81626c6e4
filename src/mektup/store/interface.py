"""The store's interface: Protocols that every engine implements.

Rules that hold for every method here:

* It is asynchronous, and one IMAP command needs at most one read and one write.
* A write is one transaction with one new modseq, shared by all messages, mailboxes and subscriptions that it changed
  (``store_flags_in_turn`` uses one modseq for each order). When it returns, the change and the counters are on disk
  (for flags alone, see ``limits.sync_flags``), and every Watch on that mailbox has fired, in this process and, through
  the bus, in the others. The store fires watches itself, inside its commit, so no caller can forget to.
* UIDs ascend and are never used twice; modseqs never go back; 1 is the smallest of each.
* Mailbox names are decoded text in NFC, with "/" between levels; INBOX in any letter case is INBOX.
* Messages are named by UID, never by sequence number: sequence numbers belong to a session's view.
* A UID that does not exist (any more) is ignored; it is not an error.
* A mailbox that is gone raises Refused(NONEXISTENT, NO_SUCH_MAILBOX). A fault of the machine, such as a full disk,
  raises FaultRefused after it was reported to ``Faults``. Errors of an engine's library are never raised.
* A write that raises has changed nothing. One exception: ``Refused.uncertain`` says that this is not known. Such a
  refusal must not be taken for a failure that may simply be tried again: a message could then be there twice.
* A flag word that this object has handed out is known: ``flag_names`` does not wait for it. So an engine loads the
  keywords with the answer that has the words.
* A read may be cancelled at any await, and a generator closed before its end. Its connection is then free at once for
  the next read, and nothing else fails because of it.
* On a full disk, reads still work, and so do writes that free space: \\Deleted, expunge, remove, move, delete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from mektup.store.access_lists import AccessLists
from mektup.store.addresses import Addresses
from mektup.store.adoption import Adopted, Adoption
from mektup.store.backlog import Backlog
from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.mailbox import Mailbox as Mailbox
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.memo import Memory
from mektup.store.metadata import AccountMetadata, ServerMetadata
from mektup.store.moments import Moment
from mektup.store.quota import AccountQuota, DefaultQuota, QuotaState
from mektup.store.retention import AccountRetention
from mektup.store.values import Appended as Appended
from mektup.store.values import Changes as Changes
from mektup.store.values import Copied as Copied
from mektup.store.values import Expunged as Expunged
from mektup.store.values import FlagOrder as FlagOrder
from mektup.store.values import FlagsStored as FlagsStored
from mektup.store.values import Found as Found
from mektup.store.values import Incoming as Incoming
from mektup.store.values import SearchStatus as SearchStatus
from mektup.store.values import Selection as Selection
from mektup.store.values import Sorted as Sorted
from mektup.store.values import Touched as Touched
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import NO_MODSEQ, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm


class Account(Protocol):
    """One account's mail."""

    @property
    def id(self) -> AccountId: ...

    @property
    def name(self) -> str:
        """The account's name, spelled as it was added."""

    @property
    def access_lists(self) -> AccessLists:
        """What the account shares with others."""

    @property
    def quota(self) -> AccountQuota:
        """What the account holds and may hold.

        A change that exceeds it raises Refused(OVERQUOTA): ``append``, ``copy``, ``create`` and ``rename``.
        """

    @property
    def metadata(self) -> AccountMetadata:
        """The named values of the account and of its mailboxes."""

    @property
    def retention(self) -> AccountRetention:
        """The expunged messages that are kept for a while."""

    # The file

    async def renew(self) -> None:
        """Gives every mailbox a new UIDVALIDITY, after an older copy was restored (RFC 9051 §2.3.1.1).

        Clients drop their caches, and sessions lose their open mailboxes. Raises Refused(LIMIT).
        """

    async def compact(self) -> None:
        """Rewrites the account's file without free space. Meanwhile others can read; their writes wait."""

    def snapshot(self) -> AbstractAsyncContextManager[Moment]:
        """The account as it is at one moment, for backups and exports. Nobody waits for it.

        End it soon: the account's file stays open until then. Raises Refused(UNAVAILABLE).
        """

    # The past

    async def deleted_mail(self) -> Account:
        """The messages that can be brought back, as an account of mailboxes that can only be read.

        The mailbox DELETED_MAIL has all of them; each other one those that would come back to the mailbox of that name.
        Their UIDs are their numbers, and their save dates say when they were removed; \\Deleted is left out. A mailbox
        is up to date when it is opened or its counters are read. It does not wait for changes: its watch never fires.
        """

    async def at(self, moment: int) -> Account:
        """The account as it was at the end of the second *moment*: mailboxes, messages and flags, only to be read.

        UIDs and UIDVALIDITY are those of then, and modseqs are not. What was really forgotten is missing. Raises
        Refused(CANNOT) for a moment that is too long ago, or not over yet.
        """

    # Mailboxes

    async def mailboxes(self) -> Sequence[Mailbox]:
        """All mailboxes at one consistent moment: INBOX first, then by name, parents before children."""

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        """The mailboxes and subscriptions that changed after *since*, read at one consistent moment.

        *since* is the ``modseq`` of an earlier answer, or 0 for everything. Where the log does not reach back so far,
        the answer is ``whole``. Changes of messages are not part of the log.
        """

    async def subscriptions(self) -> frozenset[str]:
        """The subscribed names; some may not exist (RFC 9051 §6.3.7)."""

    async def mailbox(self, name: str) -> Mailbox:
        """The current state of one mailbox. Raises Refused(NONEXISTENT)."""

    async def target(self, name: str) -> MailboxId:
        """The ID of a mailbox that messages can be added to. Cheaper than ``mailbox`` while mail comes in.

        Raises Refused(NONEXISTENT), also where the name is not selectable.
        """

    async def create(self, name: str, *, special_use: str | None = None) -> Mailbox:
        """Creates *name* and any missing level above it (RFC 9051 §6.3.4).

        A name that exists but is not selectable becomes selectable. Raises Refused(ALREADYEXISTS, for INBOX too;
        CANNOT for an invalid name: empty level, too long, control characters; USEATTR for a special use that another
        mailbox has; LIMIT).
        """

    async def delete(self, name: str) -> None:
        """Removes a mailbox and its messages (RFC 9051 §6.3.5); with children, its name stays but is not selectable.

        Raises Refused(NONEXISTENT; CANNOT for INBOX; HASCHILDREN for a name that is already not selectable).
        """

    async def rename(self, old: str, new: str) -> None:
        """Renames a mailbox and all below it; for INBOX, moves its messages to *new* and leaves it empty.

        The mailbox keeps its MAILBOXID and UIDVALIDITY. Missing levels above *new* are created. Subscriptions do not
        change (RFC 9051 §6.3.6). Raises Refused(NONEXISTENT, ALREADYEXISTS, CANNOT).
        """

    async def subscribe(self, name: str) -> None:
        """Subscribes *name*, whether or not it exists."""

    async def unsubscribe(self, name: str) -> None:
        """Ends the subscription of *name*; does nothing where there is none."""

    # One mailbox, read

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        """Opens *name*. With *claim_recent*, no other session will see these messages as \\Recent.

        Raises Refused(NONEXISTENT), also where the name is not selectable.
        """

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        """The mailbox's highest modseq now, with other processes' commits. The cheapest call of all."""

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        """The differences from the state that the caller knows (RFC 7162 §3.2.6).

        The caller knows arrivals and flags up to the modseq *since*, messages with UIDs below *uidnext*, and expunges
        up to the modseq *expunged_since*, which may be older because a session may not report expunges at any time.
        The caller decides which changes it may send (RFC 9051 §7.5.1).
        """

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        """The messages that changed or were expunged after *since*, for a client that resynchronises.

        The cost depends on the size of the answer, not of the mailbox or its history. RFC 7162 §3.1.4.1, §3.2.6.
        """

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        """The existing messages of *uids*, ascending, in slices of bounded rows and octets, which the engine chooses.

        Each row is the UID and then the *columns*. Slices that take long are read in a thread. The caller owns each
        list: emptying the list frees its memory, even before the next slice is asked for.
        """

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        """The lines of *form* for *uids*, joined in ascending order, in slices that the engine chooses.

        The slices ascend, and together they are *uids*. *number* gives the number of a message; those of consecutive
        UIDs are consecutive. An engine may leave the lines of any slice to the caller (see Lines), and it does where a
        message is gone, where a flag word is not in *form*, and where it does not build such lines.
        """

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Octets *start* to *stop* (excluded) of a message, in pieces of bounded size.

        Works as long as a message of the account has this content, an expunged one that is kept, too. Raises
        Refused(EXPUNGEISSUED) after that.
        """

    def flag_names(self, word: int) -> tuple[str, ...]:
        """The flags of a flag word of this account: system flags in their usual order, then keywords."""

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        """The flag words that ``flag_names`` was asked for lately, each with its flags; None for more than *most*."""

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        """The messages of *within* that match *key*; the caller has already replaced InSeqs, InUidSet and Recent.

        Text matches as a case-insensitive substring, or as Fuzzy and Compared say. The answer is exact and current.
        With *modseq_of*, it has the highest modseq of that part, read at the same moment (RFC 7162 §3.1.5); without, it
        costs nothing for it.
        """

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted:
        """The result of ``search``, ordered by *criteria*, the most important one first, then by UID (RFC 5256 §3).

        Text is ordered by the comparator of its criterion (RFC 5256 §7); *criteria* has no key twice.
        """

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads:
        """The result of ``search``, grouped into threads (RFC 5256 §3). Other messages have no influence.

        *comparator* says which subjects are equal.
        """

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]:
        """How well each of *uids*, ascending, matches the fuzzy keys in *key* (RFC 6203 §4): 1 to 100.

        The caller found *uids* by *key*; a message that is gone has the lowest relevancy.
        """

    async def search_status(self) -> SearchStatus:
        """The state of the text index. Reads the whole index, so it is for operators, not for sessions."""

    # One mailbox, written

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        """Adds all messages or none, durably.

        Raises Refused(NONEXISTENT where the mailbox is gone; TOOBIG; LIMIT for too many keywords).
        """

    async def replace(self, mailbox: MailboxId, uid: Uid, target: MailboxId, message: Incoming) -> Appended:
        """Adds *message* to *target* and removes the message *uid* of *mailbox*, in one transaction (RFC 8508 §3.4).

        Raises as ``append``, and Refused(EXPUNGEISSUED) where the message to remove is gone.
        """

    async def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> FlagsStored:
        """Changes flags; messages whose flags stay the same keep their modseq. Raises Refused(LIMIT)."""

    async def store_flags_in_turn(self, mailbox: MailboxId, orders: Sequence[FlagOrder]) -> Sequence[FlagsStored]:
        """Carries out *orders*, of few messages, one after the other, each with its own modseq.

        Does all or none, in one transaction. Raises Refused(LIMIT).
        """

    async def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies all messages or none, with flags and internal date, durably.

        Raises Refused(TRYCREATE) where *target* does not exist or is not selectable.
        """

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies and expunges in one transaction (RFC 6851 §3.3)."""

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        """Removes the messages with \\Deleted, among *uids* or among all, durably (RFC 9051 §6.4.3)."""

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        """Removes *uids*, whatever their flags, durably; for POP3 (RFC 1939 §6)."""

    # Mail of another server

    async def adopt_mailbox(
        self,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq = NO_MODSEQ,
        special_use: str | None = None,
    ) -> Mailbox:
        """Makes or finds the mailbox *name* for messages of another server, whose numbers are given.

        A missing mailbox is made, and one that has no message gets *uidvalidity*; None: any is right. Afterwards
        UIDNEXT is at least *uidnext*: so call it with 1 before the messages are adopted, and with the other server's
        UIDNEXT after them. HIGHESTMODSEQ is at least *highestmodseq*; where it was lower, all messages count as
        changed, because a client may know them in another state (RFC 7162 §3.1). *special_use* is given where no
        mailbox has it, or only one that never had a message.

        Raises Refused(CANNOT where the mailbox has messages under another UIDVALIDITY, where *uidvalidity* is too
        high, or for an invalid name; LIMIT).
        """

    async def adopt(self, mailbox: MailboxId, messages: Sequence[Adopted]) -> Adoption:
        r"""Adds messages of another server with their UIDs, durably; leaves out those whose UID or key was used.

        UIDs ascend. A UID below the mailbox's UIDNEXT is never given again. The answer says what became of each
        message. Adopted messages are not \Recent. Raises Refused(NONEXISTENT, TOOBIG, LIMIT) as ``append``.
        """

    async def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
        """Those of *keys* that messages which ``adopt`` added had, even if these messages are gone by now."""

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        """A Watch that fires at each change of *mailbox*; for None, at each change of any mailbox or subscription."""

    def watch_account(self) -> AccountWatch:
        """Like ``watch(None)``; it also says which mailboxes changed."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as the directory knows it."""

    id: AccountId
    name: str
    """The name as it was given, in NFC."""
    secrets: Mapping[str, str] = field(repr=False)
    """Made by auth, opaque to the store: ``password`` -> ``{SCHEME}hash``; ``SCRAM-SHA-256`` -> its keys."""
    shard: str = ""
    """The name of the part of the store that has the account's mail; empty where the store has no parts."""
    hidden: frozenset[str] = frozenset()
    """Capabilities that are hidden from the clients of the account; opaque to the store, without white space."""


class Directory(Protocol):
    """All accounts. Changes of other processes are visible at once.

    Names are compared in NFC and case-folded. A name is not empty and has no control character and no "/".
    """

    async def find(self, name: str) -> AccountEntry | None:
        """The account with that name; None where there is none."""

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Adds an account, with the mailboxes of NEW_ACCOUNT_MAILBOXES. Raises Refused(ALREADYEXISTS, CANNOT).

        An alias may have the name, too (see ``store.addresses``).
        """

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Replaces an account's secrets. Raises Refused(NONEXISTENT)."""

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        """Replaces *old* by *new*, for the same password. Does nothing and returns False where *old* is not stored."""

    async def set_hidden(self, name: str, hidden: Collection[str]) -> AccountEntry:
        """Replaces what is hidden from the clients of an account. Raises Refused(NONEXISTENT)."""

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        """The current secrets of these accounts, without accounts that are gone."""

    async def names_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
        """The names of these accounts, without accounts that are gone."""

    async def note_logins(self, at: Mapping[AccountId, int]) -> None:
        """Keeps the last logins of accounts, in seconds since 1970; an earlier one than is kept changes nothing.

        An account that is gone is left out. Raises Refused.
        """

    async def last_logins(self, accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
        """The last login that is kept of each of *accounts*, in seconds since 1970; without those that have none."""

    async def sharing_with(self, reader: AccountId) -> Mapping[str, AccountEntry]:
        """The other accounts that may share mailboxes with the account *reader*, by their exact names.

        Whether they do is for their ``access_lists`` to say. An account that is not here shares nothing. The entries
        have no secrets.
        """

    def state(self) -> bytes | None:
        """Octets that differ after every change by any process; None where they are not known now.

        Costs microseconds.
        """

    async def remove(self, name: str) -> None:
        """Removes an account and its mail, also from all aliases. Raises Refused(NONEXISTENT)."""

    async def entries(self, after: str, most: int) -> Sequence[AccountEntry]:
        """The first *most* accounts, in the order of their names, of those after the name *after*.

        An account of that name need not exist; "" is before all. The order disregards case. ``all_entries`` of
        ``store.directory_pages`` gives all accounts.
        """


class Bus(Protocol):
    """Tells other processes that a mailbox changed. A lost notice delays an update, but corrupts nothing.

    A bus that knows of lost notices calls ``Store.missed_notices``.
    """

    def publish(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Tells the other processes, after the commit, from any thread. Never blocks, never raises.

        *mailbox* is ACCOUNT_ITSELF where the account changed, and no mailbox. *modseq* is that of the change; None
        where it is not known.
        """


@dataclass(frozen=True, slots=True)
class Tidied:
    """The result of ``Store.tidy``."""

    removed: int
    """Accounts whose files were removed, because a process was killed while it added or removed them."""
    strangers: Sequence[str]
    """Account files that the directory does not know; they stay."""


class Store(Protocol):
    """An open data directory, or an open store in memory."""

    @property
    def directory(self) -> Directory: ...

    @property
    def memory(self) -> Memory:
        """What this process remembers of the mail."""

    @property
    def server_metadata(self) -> ServerMetadata:
        """The named values of the whole server."""

    @property
    def default_quota(self) -> DefaultQuota:
        """The limits of accounts that have none of their own."""

    @property
    def addresses(self) -> Addresses: ...

    async def account(self, entry: AccountEntry) -> Account:
        """Opens the account of *entry*, of which only ``id`` and ``shard`` are used. All callers get the same object.

        Raises Refused(UNAVAILABLE) when it is gone or broken.
        """

    async def usages(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, QuotaState]:
        """What each of *accounts* holds and may hold, without those that cannot be read.

        For lists of many accounts: it does not open them.
        """

    def backlog(self) -> Backlog:
        """What is left to do now. Looks at each open account."""

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Fires the watches, because another process committed a change. For the bus, in the event loop's thread.

        A notice costs nothing for a waiter that knows the change *modseq* already. None: it is not known.
        """

    def missed_notices(self) -> None:
        """Fires the watches of all that may have changed unnoticed, because notices may be lost.

        For the bus, in the event loop's thread. Returns at once; an engine that has to ask first fires them soon.
        """

    async def tidy(self) -> Tidied:
        """Finishes the work that a killed process left undone."""

    async def close(self) -> None:
        """Ends all work and closes every file; may be called twice."""
