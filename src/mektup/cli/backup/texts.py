"""What ``mektup backup`` and ``mektup restore`` say."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Help

CREATE = Text(
    """Back up all accounts, or some, to the directory DIR, while servers run. - writes a tar stream to standard output.

A backup in DIR before is not changed, and only what is new since is written. Exit status: 1 where something could not
be read; the rest is backed up then."""
)
COPY = Text("""Copy the files of all accounts to the empty directory DIR, each as it is at one moment.

This is what mektup backup DIR does. Each copy is whole: it takes as much space as the data.""")
LIST = Text("List the backups in DIR; with --account, the backups of an account.")
VERIFY = Text("""Read a backup completely, and compare all messages with their checksums.

Says what is damaged, and which messages of which accounts are lost by that. Exit status: 1 where something is.""")
PRUNE = Text("Remove old backups from DIR, and the messages that only they have.")
DIR = Text("The directory of the backup.")
DIR_OR_TAR = Text("The directory of the backup, which may have earlier ones; - for a tar stream.")
ACCOUNT = Text("Only this account; may be given several times.")
ONE_ACCOUNT = Text("Only this account.")
ANEW = Text("Read everything again, also what has not changed, and write what the backup does not have.")
FORGET = Text("Forget what is damaged, so that mektup backup create --anew stores it again if the server still has it.")
KEEP = Text("How many backups of all accounts to keep.")
RESTORE_ACCOUNT = Text("Restore this account into the data directory, which may be in use.")
RESTORE_AS = Text("Restore it as an account of this name.")
RESTORE_MAILBOX = Text("Only this mailbox.")
RESTORE_UID = Text("Only the message that had this UID in --mailbox.")
RESTORE_MESSAGE_ID = Text("Only the messages with this Message-ID.")
RESTORE_AT = Text("The newest backup of this time or before, such as 2026-12-24T18:30; the newest of all by default.")
DRY_RUN = Text("Only say what would be restored.")

# Results

CREATED = counted(
    "backed up {count} account to {directory}: {changed} changed, {messages} new messages of {size}",
    "backed up {count} accounts to {directory}: {changed} changed, {messages} new messages of {size}",
)
PRUNED = counted(
    "removed {count} backup from {directory}; the packs are {size} smaller",
    "removed {count} backups from {directory}; the packs are {size} smaller",
)
CLEAN = counted(
    "{directory}: {count} backup is whole, with {objects} objects of {size}",
    "{directory}: {count} backups are whole, with {objects} objects of {size}",
)
DAMAGED = counted("{directory}: {count} problem was found", "{directory}: {count} problems were found")
RUN_LINE = counted(
    "{time}  {stamp}  {count} account, {messages} messages, {size}{note}",
    "{time}  {stamp}  {count} accounts, {messages} messages, {size}{note}",
)
ACCOUNT_LINE = counted(
    "{time}  {stamp}  {name}: {count} message, {size}{note}",
    "{time}  {stamp}  {name}: {count} messages, {size}{note}",
)
SOME_ACCOUNTS = Text(" (not of all accounts)")
OLDER = Text(" (could not be read; this is the state of the backup before)")
RESTORED = counted(
    "restored {name}: {count} message added, {there} were there, {flags} got their flags back, "
    "{mailboxes} mailboxes made",
    "restored {name}: {count} messages added, {there} were there, {flags} got their flags back, "
    "{mailboxes} mailboxes made",
)
WOULD_RESTORE = counted(
    "would restore {name}: {count} message is missing, {there} are there, {flags} would get their flags back, "
    "{mailboxes} mailboxes are missing",
    "would restore {name}: {count} messages are missing, {there} are there, {flags} would get their flags back, "
    "{mailboxes} mailboxes are missing",
)
MANY_PROBLEMS = counted("{count} thing was not restored", "{count} things were not restored")
WORKING = Text("working")

# Mistakes

NOT_A_TERMINAL = Text(
    "a tar stream is no text for a terminal; write it to a file or a program: mektup backup create - > FILE"
)
ONE_OR_MORE = Text("--keep must be 1 or more")
ONLY_WITH_ACCOUNT = Text("{option} needs --account")
ONLY_WITH_MAILBOX = Text("--uid needs --mailbox")
ONLY_NEW_FORMAT = Text(
    "{directory} is not a backup that mektup backup create made, so it can only be restored whole, without {option}"
)
UNFINISHED_OTHER = Text(
    "{directory} has a restore of the backup of {time} that did not end; continue that one, or empty it"
)
