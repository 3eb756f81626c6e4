"""What imports and exports say to people."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Problems of a source

NOT_THERE = Text("{path} does not exist")
NOTHING_FOUND = Text("{path} has no mail in a form that can be imported; name the form with --from")
DBOX = Text(
    "{path} is mail of Dovecot in the form {form}, which only Dovecot can read; "
    "import it over IMAP, from a running Dovecot"
)
ARCHIVE = Text("{path} is an archive; unpack it and name what was in it")
NAME_NOT_DECODED = Text("the name of the mailbox cannot be decoded; it is imported as {name}")
NAME_CHANGED = Text("a mailbox cannot have this name; it is imported as {name}")
UIDLIST_DAMAGED = Text("the list of UIDs cannot be read, so the messages get new UIDs")
LINES_DAMAGED = counted(
    "{count} line of the list of UIDs cannot be read; its message gets a new UID",
    "{count} lines of the list of UIDs cannot be read; their messages get new UIDs",
)
LINK = Text("the folder is a symbolic link, which is not followed; import it by its own path")

BEFORE_FIRST = Text("the first {octets} octets belong to no message and are left out")
NO_MBOX = Text("this does not begin as an mbox and is left out")

# Exports

NOT_EMPTY = Text("{path} is not empty; name a folder that is new or empty")
THERE_ALREADY = Text("{path} is there already")
NAME_CUT = Text("the name is too long for a file, and was cut")
TOO_MANY_KEYWORDS = Text("a Maildir has no more than 26 keywords; these are left out: {keywords}")

# Problems of a message

NO_EMLX = Text("this does not begin with the length of a message and is left out")
EMLX_CUT_OFF = Text("the message was cut off")
NO_PROPERTIES = Text("the flags cannot be read; the message is imported without them")
PARTIAL = Text("Apple Mail has not kept the attachments in this file; the message is imported without them")

NO_FILE = Text("this is not a regular file")

ENCRYPTED = Text("the message is encrypted by Dovecot; import it over IMAP")
COMPRESSED = Text("the message is compressed with {method}, which cannot be read here")
CUT_OFF = Text("the compressed message is damaged or was cut off")
TOO_BIG = Text("the message has more than {octets} octets, which is the limit")
EMPTY = Text("the message is empty")
WITHOUT_KEYWORDS = Text("the message is imported without its keywords: {reason}")

# Problems of a mailbox

UIDS_NOT_KEPT = Text("the messages get new UIDs: {reason}")
NEW_UIDS = counted(
    "{count} message got a new UID, because its own was used already",
    "{count} messages got new UIDs, because theirs were used already",
)
UIDVALIDITY_CHANGED = Text(
    "its UIDVALIDITY changed at the source since it was imported; nothing is imported into it without --follow, "
    "which takes it anew"
)
TAKEN_ANEW = Text("its UIDVALIDITY changed at the source since it was imported; it is taken anew")
FLAGS_REFUSED = Text("the flags of some messages cannot be changed: {reason}")
NO_MARK = Text("the next run has to compare all messages, because it cannot be noted how far this one came: {reason}")
