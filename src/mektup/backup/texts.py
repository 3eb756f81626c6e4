"""What backups say to an operator."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# What is no backup

NO_BACKUP = Text("{directory} is not a backup: there is no {file} in it")
NEWER = Text("{path} was written by a newer version of mektup")
NOT_EMPTY = Text("{directory} is not a backup and not empty; name a directory that does not exist yet")
IN_DATA = Text("{directory} is in {data}, and would be lost with it; name a directory elsewhere")
IN_USE = Text("another command writes to {directory}; try again when it has ended")
NO_RUN = Text("{directory} has no finished backup")
NO_RUN_AT = Text("{directory} has no backup of {time} or before; the oldest is of {oldest}")
NO_ACCOUNT_IN = Text("{directory} has no backup of an account {name} of {time} or before")
NO_MAILBOX_IN = Text("the backup of {account} of {time} has no mailbox {name}")
NO_MESSAGE_IN = Text("the backup of {account} of {time} has no such message")
NO_TIME = Text("{text} is not a time; write it as 2026-12-24T18:30, or in UTC as 2026-12-24T17:30Z")

# Damage

AT_OCTET = Text("{path}, octet {octet}: {problem}")
NO_FILE_OF_OURS = Text("this is not a file of a backup, or its beginning is damaged")
CUT_OFF = Text("the file is cut off")
CHECKSUM_WRONG = Text("the checksum does not match")
OTHER_OCTETS = Text("the octets are not the ones that were stored")
CANNOT_DECOMPRESS = Text("cannot be decompressed ({error})")
CANNOT_BE_READ = Text("cannot be read ({error})")
OBJECT_MISSING = Text("it is in none of the packs")
INDEX_MISSING = Text("the index of a pack is missing; the pack itself was read")
LIST_DAMAGED = Text("a list of its messages is lost, with {count} messages from UID {first} on: {problem}")
MESSAGES_DAMAGED = counted(
    "{count} message is lost, UID {uids}: {problem}", "{count} messages are lost, UID {uids}: {problem}"
)
DAMAGED_BEFORE = counted(
    "{count} message, UID {uids}, was damaged in the store already when the backup was made",
    "{count} messages, UID {uids}, were damaged in the store already when the backup was made",
)
IN_MAILBOX = Text("{account}, {mailbox}: {problem}")
OF_TIME = Text("{account}, backup of {time}: {problem}")
PRUNE_REFUSED = Text(
    "nothing was removed, because not all lists of messages can be read; mektup backup verify says more"
)

# Making a backup


TOO_BUSY = Text("its messages were removed again and again while they were read; it is left out this time")
MESSAGE_DAMAGED = Text("UID {uid} cannot be read from the store ({problem}); it is left out")
COUNTERS_WRONG = Text("{found} messages were found and {counted} are counted; mektup check says more")
SALVAGED = counted(
    "{path} was cut off; the {count} message in it that is whole is kept",
    "{path} was cut off; the {count} messages in it that are whole are kept",
)

# Restoring

STOPPED_AT = Text("stopped at UID {uid}: {problem}; what was restored stays, and the same command continues")
RIGHTS_LEFT_OUT = Text("the rights of {identifier} are left out, because there is no such account here")
METADATA_LEFT_OUT = Text("the metadata of an account that is not here is left out")
NOT_SUBSCRIBED = Text("{name} was not subscribed ({problem})")
NOT_SET = Text("{what} was not restored ({problem})")
RIGHTS = Text("the rights of an account")
METADATA = Text("the metadata")
FLAGS = Text("the flags")
NOT_ADDED = Text("UID {uid} was not restored: {problem}")
