"""What IMAP says to people: the human text of answers, after the response code (RFC 9051 §7.1)."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Answers to a command that is done

COMPLETED = Text("{command} completed")
WELCOME = Text("Welcome")
BEGIN_TLS = Text("Begin TLS now")
NOT_WHILE_COMPRESSED = Text("This is not possible on a compressed connection")
DEFLATE_IS_ACTIVE = Text("DEFLATE is active")
OPENED = Text("Opened")
CLOSED = Text("The previous mailbox is closed")
CLOSED_BY_DELETE = Text("The selected mailbox is deleted")
FIRST_UNSEEN = Text("First unseen")
UIDS_ARE_VALID = Text("UIDs are valid")
NEXT_UID = Text("The next UID")
LATEST_CHANGE = Text("The latest change")
FLAGS_ARE_KEPT = Text("Flags may be kept")
NO_FLAGS = Text("No flag can be changed")
CREATED = Text("Created")
MAILBOX_IS = Text("The mailbox's identifier")
APPENDED = Text("Appended")
REPLACED = Text("The replacement is ready")
BAD_URL = Text("This URL names no part of a message that can be read")
COPIED = Text("Copied")
NOTHING_TO_COPY = Text("Nothing to copy")
MOVED = Text("Moved")
NOTHING_TO_MOVE = Text("Nothing to move")
SOME_GONE = Text("Some messages no longer exist")
SOME_CHANGED = Text("Some messages had changed")

LANGUAGES = Text("These languages are spoken")
LANGUAGE_CHANGED = Text("This language is spoken from now on")

OTHER_USERS = Text("Other Users")
"""The folder with what other users share, as people see it; its name is ``terms.names.OTHER_USERS``."""

# In the middle of a command

GO_AHEAD = Text("Go ahead")
WAITING = Text("Waiting; say DONE to end it")
STILL_HERE = Text("Still here")
STILL_WORKING = Text("Still working on it")
TOO_MANY_CONTEXTS = Text("Too many searches are watched already")
CONTEXT_TOO_LARGE = Text("The results of the watched searches are too large")
CONTEXT_OF_NUMBERS = Text("Sequence numbers are not used any more")
CONTEXT_OF_RELEVANCY = Text("The order by relevancy is not watched")
CONTEXT_TOO_SLOW = Text("The search takes too long to be watched")

NOTIFICATIONS_ENDED = Text("There are too many mailboxes to watch, so NOTIFY ends")

# A command in the wrong state

NOT_BEFORE_LOGIN = Text("{command} is not possible before LOGIN or AUTHENTICATE")
NOT_AFTER_LOGIN = Text("{command} is not possible any more: you are logged in")
NEEDS_A_MAILBOX = Text("{command} needs a mailbox: SELECT or EXAMINE one first")
URL_TOO_LONG = Text("A URL may have {octets} octets")
NO_LITERAL8 = Text("Only a message can be a literal with ~")
APPEND_BEFORE_LOGIN = Text("APPEND is not possible now: log in first")
NO_RIGHT = Text("You do not have the right to do this")
READ_ONLY = Text("The mailbox is open read-only: SELECT it to change it")
SMALLEST_BATCH = counted("The smallest batch has {count} message", "The smallest batch has {count} messages")
TOO_MANY_BATCHES = counted(
    "The answer can have {count} batch: ask for larger or fewer ones",
    "The answer can have {count} batches: ask for larger or fewer ones",
)
PARTLY_DONE = counted(
    "Only the last {count} message was processed: one command does no more",
    "Only the last {count} messages were processed: one command does no more",
)
TOO_MANY_AT_ONCE = counted(
    "One command may have {count} message: try a smaller set",
    "One command may have {count} messages: try a smaller set",
)
UID_REQUIRED = Text("No sequence numbers after ENABLE UIDONLY: use UIDs")
VANISHED_NEEDS_QRESYNC = Text("VANISHED needs ENABLE QRESYNC first")
NEEDS_QRESYNC = Text("QRESYNC needs ENABLE QRESYNC first")
TAG_IN_USE = Text("A search with this tag is being watched")
ONLY_DONE = Text("Only DONE can end IDLE")
COMPRESSED_ALREADY = Text("The connection is compressed already")
NOTHING_AFTER_COMPRESS = Text("Nothing may follow COMPRESS before its answer")
COMMANDS_IN_CLEAR = Text("Unencrypted commands came after STARTTLS")
CHARSET_AFTER_UTF8 = Text("After ENABLE UTF8=ACCEPT a search names no charset but UTF-8: all strings are UTF-8")
NO_CERTIFICATE = Text("This server has no certificate")

# Filters, metadata and quota

UNDEFINED_FILTER = Text("There is no such filter, or it names itself")
FILTERS_ARE_UTF8 = Text("FILTER needs the charset UTF-8")
FILTERS_TOO_LARGE = Text("These filters together have too many search keys, or too deep ones")
NO_FILTER_NAME = Text("The name of a filter is one level of ASCII, without special characters")

NO_RIGHT_TO_METADATA = Text("You have no right to the metadata of this mailbox")
ENTRY_IS_READ_ONLY = Text("{entry} cannot be set")
PRIVATE_OR_SHARED = Text("Private and shared entries of the server are set in two commands")
ONLY_ADMINISTRATORS = Text("Only an administrator may do this")
NO_SUCH_QUOTA_ROOT = Text("No such quota root")
NO_SUCH_RESOURCE = Text("No limit can be set for {resource}")

# What cannot be done

NO_SUCH_NUMBER = counted(
    "No message has that sequence number: there is {count} message",
    "No message has that sequence number: there are {count} messages",
)
NO_SUCH_USER = Text("There is no such user")
BAD_IDENTIFIER = Text("This cannot be the name of a user")
OWNER_HAS_ALL = Text("The owner of a mailbox always has all rights")
NO_NUMBERS = Text("No message has that sequence number: the mailbox is empty")
NO_COMPARATOR = Text("None of these comparators is known here")
ONE_USE = Text("A mailbox can have one special use: one of {uses}")
NO_USE_FOR_OTHERS = Text("A mailbox of another user gets no special use")
BETWEEN_ACCOUNTS = Text("A mailbox cannot be renamed from one account to another")
INBOX_OF_OTHERS = Text("Only its owner can rename INBOX")
EMPTY_MESSAGE = Text("A message must have at least one octet")
APPEND_TOO_BIG = Text("A message may have at most {octets} octets, and so may all of an APPEND")
TOO_MANY_PARTS = Text("These messages have too many parts and addresses for one APPEND")
INTERNAL_ERROR = Text("Internal error; see session {session} in the server's log")

NO_SUCH_LANGUAGE = Text("None of these languages is spoken here")
UNKNOWN_EVENTS = Text("One of these events is not supported")
TOO_MANY_WATCHED = Text("NOTIFY can watch so many mailboxes at most: {most}")
MAILBOXES_CHANGE = Text("The mailboxes change all the time")

# AUTHENTICATE

CANCELLED = Text("Authentication cancelled")
NOT_BASE64 = Text("A line of an AUTHENTICATE exchange must be base64, or * to cancel")

# The end of a session

MAILBOX_DELETED = Text("The selected mailbox was deleted")
NOT_UNDERSTOOD = Text("The rest of the input cannot be understood")
NOTHING_AFTER_STARTTLS = Text("Nothing may follow STARTTLS before the TLS handshake")
BACK_TO_OWN = Text("a deleted message can come back only to a mailbox of your own")
