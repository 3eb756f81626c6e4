"""Every limit on what a peer may ask, as a named setting with its unit.

The ``[limits]`` table of the configuration file has these names; docs/configuration.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a session and of a message; in octets and seconds unless the name says otherwise."""

    # before login
    login_line_bytes: int = 8 * KIB
    login_literals: int = 3
    login_literal_bytes: int = 4 * KIB
    login_id_bytes: int = 64 * KIB
    """For the ID command: each line, and all its lines and literals together. RFC 2971 §3.3 allows this size."""
    login_seconds: float = 60.0
    """From the connection to the end of a successful login, not per command."""
    login_bad_commands: int = 10
    login_failures: int = 3
    login_delay_seconds: float = 15.0
    """The longest time that a login waits after failures from the same network."""
    logins_waiting_per_address: int = 50
    """Logins from one IPv4 address or IPv6 /64 that may wait for their passwords to be checked."""
    password_remembered_seconds: float = 5 * 60.0
    """How long a correct password is not hashed again; 0 hashes it every time."""

    # a command after login
    line_bytes: int = 256 * KIB
    literal_bytes: int = 128 * KIB
    """A literal that is not a message."""
    literals: int = 1000
    command_bytes: int = 1 * MIB
    """All lines and literals of a command together, without messages."""
    id_fields: int = 30
    """This and the next two are from RFC 2971 §3.3."""
    id_name_bytes: int = 30
    id_value_bytes: int = 1024
    nesting: int = 500
    search_keys: int = 1000
    comparators: int = 20
    """Names and patterns in one COMPARATOR."""
    fuzzy_keys: int = 50
    """Keys of texts with FUZZY before them, in one search."""
    search_seconds: float = 60.0
    """The longest time that a SEARCH, SORT or THREAD may take."""
    contexts: int = 16
    """Searches whose results a session is kept informed of (RFC 5267 §4.3.1)."""
    context_bytes: int = 1 * MIB
    """The memory of all contexts of a session: programs and results."""
    sequence_set_ranges: int = 20_000
    fetch_items: int = 1000
    """In one FETCH."""
    uid_batch_messages: int = 500
    """The smallest batch of UIDBATCHES. With small batches, a client could count messages (RFC 10022 §3.1.3)."""
    uid_batches: int = 10_000
    """The most batches in the answer to a UIDBATCHES."""
    message_limit: int = 0
    """The most messages that one FETCH, SEARCH, STORE, COPY, MOVE, APPEND or UID EXPUNGE does; 0 for no limit."""
    save_limit: int = 0
    """The same for COPY and APPEND only; not used with ``message_limit``."""
    append_rendered_bytes: int = 16 * MIB
    """The rendered forms of all messages of an APPEND with several messages."""
    list_patterns: int = 100
    """In one LIST."""
    mailboxes_named: int = 1000
    """Names and other specifiers of mailboxes in one ESEARCH."""
    list_pattern_bytes: int = 8 * KIB
    """Characters of all patterns of a LIST or LSUB together; the reference counts once for each pattern."""
    notify_bytes: int = 32 * KIB
    """All lines and literals of a NOTIFY together."""
    notify_mailboxes: int = 1000
    """Mailboxes that a session may watch by NOTIFY, and names that one may have."""
    bad_commands: int = 100
    idle_seconds: float = 30 * 60.0
    """RFC 9051 §5.4: at least 30 minutes."""
    idle_heartbeat_seconds: float = 110.0
    """The interval at which a client that waits (IDLE, NOTIFY) gets an untagged OK, so that NATs and firewalls keep the
    connection, and lost clients are noticed; 0 for never."""
    progress_seconds: float = 5.0
    """The interval at which a client whose command goes on for so long is told so (RFC 9585); 0 for never."""
    interest_seconds: float = 5.0
    """How long a search goes on for a client that has closed its sending side."""
    write_seconds: float = 5 * 60.0
    """How long a peer may not read the output."""
    keyword_bytes: int = 100
    keywords_per_mailbox: int = 1000
    keyword_sets_bytes: int = 4 * MIB
    """The size of all different keyword sets of an account's messages; each set counts 100 octets more."""
    mailbox_name_bytes: int = 1000
    mailbox_depth: int = 64
    mailboxes: int = 10_000
    acl_identifiers: int = 100
    """In the access control list of one mailbox."""
    sharing_accounts: int = 500
    """Accounts that share mailboxes with the same account, or with everybody."""
    metadata_name_bytes: int = 255
    """The name of an entry of METADATA."""
    metadata_depth: int = 16
    """Levels of such a name."""
    metadata_value_bytes: int = 64 * KIB
    metadata_entries: int = 100
    """Shared entries of a mailbox or of the server, and as many private ones of each user; also those in a command."""
    metadata_bytes: int = 16 * MIB
    """All values of an account together."""
    thread_references: int = 2_500_000
    """References of all messages of a mailbox together, for THREAD=REFERENCES; those of copies count once."""
    expunged_seconds: float = 14 * 24 * 3600.0
    """How long expunged messages and the history of mailboxes are kept, to bring them back; 0 to keep nothing."""
    expunged_bytes: int = 16 * 1024 * MIB
    """All expunged messages of an account that are kept; each counts 200 octets more. The oldest are removed first."""
    remembered_bytes: int = 64 * MIB
    """Memory of a process for what it remembers of the mail: UIDs, flags, sort keys, answers to small queries."""

    # a message
    message_bytes: int = 64 * MIB
    mime_depth: int = 100
    mime_parts: int = 10_000
    header_bytes: int = 2 * MIB
    """How much of a message's headers is parsed, those of its parts included; the rest is stored, but not parsed."""
    header_field_bytes: int = 256 * KIB
    """How much of one field is parsed."""
    header_fields: int = 10_000
    """How many fields of one header are parsed."""
    references: int = 1000
    """How many Message-IDs in References are used for threading; the last ones."""
    text_bytes: int = 4 * MIB
    """How much of a message's decoded text can be searched."""
    addresses: int = 10_000
    """In one header field."""

    # connections
    connections: int = 20_000
    """All limits of connections are for one process, that is for each worker."""
    connections_per_account: int = 100
    connections_per_address_before_login: int = 100
    """For one IPv4 address or IPv6 /64."""
    connections_before_login: int = 4000
    """For all networks together. Above it, the network with the most connections loses its oldest one."""
    connections_kept_for_lmtp: int = 500
    """Part of ``connections``; at most a twentieth of them is reserved."""
    lmtp_recipients: int = 1000
    """Accounts that get one message; an alias counts as many as it has."""
    sasl_requests: int = 50
    """Logins in progress on one connection of an SMTP server; above it, the oldest one fails."""
    worker_silence_seconds: float = 30.0
    """How long a worker may be silent before its parent kills it and starts another one."""
    stop_seconds: float = 10.0
    """How long sessions may go on with their current command when the server stops."""

    text_index: bool = True
    """Whether texts are indexed for SEARCH, after the delivery. Without the index, a search reads every message."""
    sync_flags: bool = False
    """Whether a change of flags alone also waits until it is on disk."""

    # By identity, because limits are part of the key of caches that every command uses. There, equal limits with
    # different hashes only cost another entry.
    __hash__ = object.__hash__


MOST_BYTES = 1024 * MIB
"""The largest message that the store can keep; no other limit in octets needs to be higher."""

MOST_SECONDS = 366 * 24 * 3600.0
MOST_COUNT = 10_000_000


def most_of(name: str) -> float:
    """The highest value allowed for the limit *name*. A higher one is a typing error, or has no effect."""
    if name in ("remembered_bytes", "expunged_bytes"):
        # a limit on memory or disk, not on what a peer sends
        return 1024 * MOST_BYTES
    if name.endswith("_bytes"):
        return MOST_BYTES
    return MOST_SECONDS if name.endswith("_seconds") else MOST_COUNT


DEFAULT_LIMITS = Limits()
