"""The metrics: name, kind, labels and meaning of each. docs/monitoring.md has the same table.

The values of labels come from our own tables, so their number is bounded. No label has a name or an address: a stranger
could make any number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """The type of a metric."""

    COUNTER = "counter"
    """It only grows, also while workers are replaced."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Over(Enum):
    """How the values of several workers become samples."""

    SUM = auto()
    """One sample, their sum."""
    LARGEST = auto()
    """One sample, the largest: each of them describes the same thing, or the worst case is of interest."""
    EACH = auto()
    """A sample for each process, with the label ``worker``; the parent process is ``parent``."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    kind: Kind
    text: str
    """What it counts, for HELP."""
    labels: tuple[str, ...] = ()
    """Without ``worker``."""
    over: Over = Over.SUM


_PROTOCOL = ("protocol",)
_COMMAND = ("protocol", "command")

METRICS: Mapping[str, Metric] = {
    "mektup_build_info": Metric(
        Kind.GAUGE, "The versions of mektup, Python and SQLite; always 1", ("version", "python", "sqlite"), Over.LARGEST
    ),
    # connections
    "mektup_connections_total": Metric(Kind.COUNTER, "Connections accepted", _PROTOCOL),
    "mektup_refused_connections_total": Metric(Kind.COUNTER, "Connections over a limit", _PROTOCOL),
    "mektup_sessions": Metric(Kind.GAUGE, "Open sessions", ("protocol", "state")),
    "mektup_received_bytes_total": Metric(Kind.COUNTER, "Octets received from clients, decrypted", _PROTOCOL),
    "mektup_sent_bytes_total": Metric(Kind.COUNTER, "Octets sent to clients, before encryption", _PROTOCOL),
    # logins
    "mektup_logins_total": Metric(Kind.COUNTER, "Logins that succeeded", _PROTOCOL),
    "mektup_refused_logins_total": Metric(Kind.COUNTER, "Logins that were refused", ("protocol", "reason")),
    # commands
    "mektup_commands_total": Metric(Kind.COUNTER, "Commands answered, with success or not", _COMMAND),
    "mektup_command_duration_seconds": Metric(
        Kind.HISTOGRAM, "From a command to its answer, the time in which the client reads or sends included", _COMMAND
    ),
    "mektup_slow_commands_total": Metric(Kind.COUNTER, "Commands that the log names as slow", _PROTOCOL),
    "mektup_client_mistakes_total": Metric(
        Kind.COUNTER, "Commands that could not be understood, or were not allowed then", _PROTOCOL
    ),
    "mektup_refusals_total": Metric(Kind.COUNTER, "Commands refused, by response code", ("protocol", "code")),
    "mektup_uncertain_changes_total": Metric(
        Kind.COUNTER, "Changes that were refused, and perhaps made nevertheless", _PROTOCOL
    ),
    "mektup_bugs_total": Metric(Kind.COUNTER, "Internal errors", _PROTOCOL),
    # messages
    "mektup_messages_total": Metric(
        Kind.COUNTER,
        "Messages stored, by APPEND (imap), LMTP or an embedding program; once a mailbox",
        _PROTOCOL,
    ),
    "mektup_message_bytes_total": Metric(Kind.COUNTER, "Octets of these messages", _PROTOCOL),
    # the store
    "mektup_store_faults_total": Metric(
        Kind.COUNTER, "Operations of the store that failed because of the machine", ("kind",)
    ),
    "mektup_disk_free_bytes": Metric(Kind.GAUGE, "Free space of the disk with the mail", over=Over.LARGEST),
    "mektup_reserve_bytes": Metric(Kind.GAUGE, "What is left of the reserve for a full disk", over=Over.LARGEST),
    "mektup_reserve_whole_bytes": Metric(Kind.GAUGE, "The size of the whole reserve", over=Over.LARGEST),
    "mektup_wal_bytes": Metric(
        Kind.GAUGE, "Write-ahead logs of open accounts; an account open in two workers counts twice"
    ),
    "mektup_expunged_bytes": Metric(
        Kind.GAUGE, "What open accounts keep of expunged messages; an account open in two workers counts twice"
    ),
    "mektup_largest_wal_bytes": Metric(Kind.GAUGE, "The largest of these write-ahead logs", over=Over.LARGEST),
    "mektup_index_queue": Metric(
        Kind.GAUGE, "Open accounts with mail that is not in the text index yet, or with other background work"
    ),
    "mektup_index_queue_age_seconds": Metric(
        Kind.GAUGE, "How long the account waits that has waited longest", over=Over.LARGEST
    ),
    "mektup_remembered_hits_total": Metric(Kind.COUNTER, "Uses of what is remembered of the mail", ("kind",)),
    "mektup_remembered_misses_total": Metric(Kind.COUNTER, "Times that it was not remembered", ("kind",)),
    "mektup_remembered_bytes": Metric(Kind.GAUGE, "Memory of what is remembered of the mail", ("kind",)),
    # the bus between nodes
    "mektup_bus_up": Metric(Kind.GAUGE, "Whether the bus to the other nodes is connected: 1 or 0", over=Over.LARGEST),
    "mektup_bus_disconnects_total": Metric(Kind.COUNTER, "Times that the bus to the other nodes was lost"),
    "mektup_bus_notices_total": Metric(
        Kind.COUNTER, "Notices of changes that went to other nodes, or came from them", ("direction",)
    ),
    # the server
    "mektup_workers": Metric(Kind.GAUGE, "Workers that should be up", over=Over.LARGEST),
    "mektup_workers_up": Metric(Kind.GAUGE, "Workers that are up and answer", over=Over.LARGEST),
    "mektup_worker_restarts_total": Metric(Kind.COUNTER, "Workers that ended and were started again", over=Over.EACH),
    "mektup_worker_hangs_total": Metric(Kind.COUNTER, "Workers that were killed because they hung", over=Over.EACH),
    "mektup_loop_delay_seconds": Metric(
        Kind.HISTOGRAM, "How late the event loop runs a timer: how long a client waits for others", over=Over.EACH
    ),
    "mektup_certificate_expiry_seconds": Metric(
        Kind.GAUGE, "Seconds until the certificate expires; negative when it has", over=Over.LARGEST
    ),
    "mektup_log_lines_dropped_total": Metric(Kind.COUNTER, "Lines of the log that could not be written"),
    "mektup_log_lines_left_out_total": Metric(
        Kind.COUNTER, "Lines of the log that were left out, because a client caused too many"
    ),
    # the processes
    "process_cpu_seconds_total": Metric(Kind.COUNTER, "Processor time used", over=Over.EACH),
    "process_virtual_memory_bytes": Metric(Kind.GAUGE, "Address space", over=Over.EACH),
    "process_resident_memory_bytes": Metric(Kind.GAUGE, "Memory in use", over=Over.EACH),
    "process_open_fds": Metric(Kind.GAUGE, "Open descriptors", over=Over.EACH),
    "process_max_fds": Metric(Kind.GAUGE, "Descriptors that may be open", over=Over.EACH),
    "process_start_time_seconds": Metric(Kind.GAUGE, "When the process began, in seconds since 1970", over=Over.EACH),
}
