"""Every bound that mektup sets to what a peer may ask, as named settings with their units.

The ``[limits]`` table of the configuration file has these names; docs/configuration.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a session and of a message; octets and seconds unless the name says otherwise."""

    # before login
    login_line_bytes: int = 8 * KIB
    login_literals: int = 3
    login_literal_bytes: int = 4 * KIB
    login_id_bytes: int = 64 * KIB
    """A command ID: its line, and its lines and literals together. RFC 2971 §3.3 lets it be so long."""
    login_seconds: float = 60.0
    """From the connection to the end of a successful login, not per command."""
    login_bad_commands: int = 10
    login_failures: int = 3
    login_delay_seconds: float = 15.0
    """The longest that an attempt waits after failures from the same network."""
    logins_waiting_per_address: int = 50
    """Of an IPv4 address or an IPv6 /64, for the checking of their passwords."""
    password_remembered_seconds: float = 5 * 60.0
    """How long a password found right is not hashed again; 0 to hash it every time."""

    # a command after login
    line_bytes: int = 256 * KIB
    literal_bytes: int = 128 * KIB
    """A literal that is not a message."""
    literals: int = 1000
    command_bytes: int = 1 * MIB
    """All of a command's lines and literals, messages apart."""
    id_fields: int = 30
    """These three are RFC 2971 §3.3's."""
    id_name_bytes: int = 30
    id_value_bytes: int = 1024
    nesting: int = 500
    search_keys: int = 1000
    search_seconds: float = 60.0
    """How long a SEARCH, SORT or THREAD may take."""
    sequence_set_ranges: int = 20_000
    fetch_items: int = 1000
    """That one FETCH may ask for."""
    append_rendered_bytes: int = 16 * MIB
    """What is rendered of the messages of one APPEND, where these are several."""
    list_patterns: int = 100
    """Of one LIST."""
    list_pattern_bytes: int = 8 * KIB
    """Letters of all patterns of a LIST or LSUB together, each with the reference before it."""
    bad_commands: int = 100
    idle_seconds: float = 30 * 60.0
    """RFC 9051 §5.4: at least 30 minutes."""
    still_here_seconds: float = 110.0
    """How often an IDLE is told that the server is still there, for NATs and firewalls."""
    interest_seconds: float = 5.0
    """How long a client that sends no more is thought to wait for the answer to a search."""
    write_seconds: float = 5 * 60.0
    """How long a peer may leave the output unread."""
    keyword_bytes: int = 100
    keywords_per_mailbox: int = 1000
    keyword_sets_bytes: int = 4 * MIB
    """What the different sets of keywords of an account's messages may have together, 100 for each set included."""
    mailbox_name_bytes: int = 1000
    mailbox_depth: int = 64
    mailboxes: int = 10_000
    thread_references: int = 2_500_000
    """That all messages of a mailbox together may have for THREAD=REFERENCES; those of copies count once."""
    sort_keys_bytes: int = 64 * MIB
    """What a process remembers of the mailboxes that it sorted or threaded last."""

    # a message
    message_bytes: int = 64 * MIB
    mime_depth: int = 100
    mime_parts: int = 10_000
    header_bytes: int = 2 * MIB
    """What of a message's headers, those of its parts included, is looked at; the rest stays, but is not parsed."""
    header_field_bytes: int = 256 * KIB
    """The same for one field."""
    header_fields: int = 10_000
    """Of one header, that are looked at."""
    references: int = 1000
    """Message-IDs in References that threading looks at, the last ones."""
    text_bytes: int = 4 * MIB
    """How much of a message's text, decoded, can be searched."""
    addresses: int = 10_000
    """In one header field."""

    # connections
    connections: int = 20_000
    """These three are of one process: of each worker."""
    connections_per_account: int = 100
    connections_per_address_before_login: int = 100
    """Of an IPv4 address or an IPv6 /64; like the next two, of each worker."""
    connections_before_login: int = 4000
    """Of all networks together; beyond, the oldest of the network that has most gives way."""
    connections_kept_for_lmtp: int = 500
    """Of ``connections``, at most a twentieth of them."""
    lmtp_recipients: int = 1000
    worker_silence_seconds: float = 30.0
    """How long a worker may give its parent no sign of life before it is killed, and another one started."""
    stop_seconds: float = 10.0
    """How long sessions have to finish what they are at when the server stops."""

    text_index: bool = True
    """Whether texts are indexed for SEARCH, behind the arrivals; without, every message that is asked of is read."""
    sync_flags: bool = False
    """Whether changes of flags alone, too, wait for the disk."""


MOST_BYTES = 1024 * MIB
"""What the store keeps of one message at most, and more than any other bound on octets needs."""

MOST_SECONDS = 366 * 24 * 3600.0
MOST_COUNT = 10_000_000


def most_of(name: str) -> float:
    """The highest value that the limit *name* can have: beyond, it is a slip, or would not hold."""
    if name == "sort_keys_bytes":
        # of memory, and not of what one peer sends
        return 1024 * MOST_BYTES
    if name.endswith("_bytes"):
        return MOST_BYTES
    return MOST_SECONDS if name.endswith("_seconds") else MOST_COUNT


DEFAULT_LIMITS = Limits()
