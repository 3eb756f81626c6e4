"""What the store says to people: refusals of mailboxes, messages and accounts, and faults of the machine."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Faults of the machine

DISK_FULL = Text("No room is left on the server's disk")
DISK_FAILED = Text("The server's disk failed")
DISK_READ_ONLY = Text("The server's disk cannot be written to now")
TOO_MANY_FILES = Text("The server has too many files open; try again later")
OUT_OF_MEMORY = Text("The server is out of memory; try again later")
FILE_DAMAGED = Text("The account's file is damaged")
FILE_REPLACED = Text("A file of the account was removed or replaced while it was in use")
FILE_DENIED = Text("The server is not allowed to use a file of the account")
FILE_NEWER = Text("The account's file was written by a newer version of mektup")
UNKNOWN_SHARD = Text("The mail of this account is on the shard {shard}, which this server does not know")
SHARD_UNAVAILABLE = Text("The database of the account cannot be reached now; try again later")
SCHEMA_TOO_NEW = Text("its tables need a mektup that knows version {oldest} of them; this one knows version {known}")
OBJECT_STORE_FAILED = Text("The server cannot reach the large messages now; try again later")
OBJECT_LOST = Text("The octets of this message were lost")
ACCOUNT_UNUSABLE = Text("The account cannot be read or written now")
ACCOUNT_BUSY = Text("The account is busy; try again")
STOPPING = Text("The server is stopping")
NOT_KNOWN = Text("whether this was done is not known")

# Files, for an operator

CANNOT_BE_MADE = Text("{path} cannot be made: {reason}")
PERMISSION_DENIED = Text("{path}: Permission denied; it belongs to {owner}, mektup runs as {user}")
ROOT_MAY_NOT_GIVE = Text("{path}: root may not give it to {owner}; use that user: sudo -u {owner} mektup ...")

# Accounts

ACCOUNT_NAME_RULES = Text('An account name must not be empty, and not contain a control character or "/"')
ACCOUNT_NAME_ANYONE = Text("No account can be called anyone, because in access control lists that means all accounts")
NO_ACCOUNT = Text("There is no account with that name")
ACCOUNT_EXISTS = Text("There is already an account with that name")
ACCOUNT_GONE = Text("The account no longer exists")
ACCOUNT_REPLACED = Text("The account's file was replaced; log in again")

MOMENT_OVER = Text("The account was read for too long; read it again")

# Addresses

CANNOT_BE_DOMAIN = Text("{name} cannot be a domain: {reason}")
TOO_MANY_DOMAINS = Text("There may be at most {most} domains")
NO_DOMAIN = Text("{domain} is no domain of this server")
DOMAIN_IN_USE = Text("The alias {address} is in this domain; remove it first")
CANNOT_BE_ALIAS = Text("{name} cannot be an alias: {reason}")
DOMAIN_IS_ELSEWHERE = Text("{domain} is no domain of this server; add it with mektup domain add")
ADDRESS_OF_ACCOUNT = Text("{address} is the address of the account {name} already")
NAME_OF_ALIAS = Text("This is the address of the alias {address} already; remove the alias first")
TOO_MANY_OF_ALIAS = Text("An alias may lead to at most {most} accounts")
NO_ALIAS = Text("There is no alias {address}")
NO_ACCOUNT_CALLED = Text("There is no account {name}")
NOT_OF_ALIAS = Text("The alias {address} does not lead to {name}")

# Mailboxes

NO_TARGET = Text("The target mailbox does not exist; create it first")
NAME_NOT_UNICODE = Text("The name is not valid Unicode")
NAME_WITH_EMPTY_LEVEL = Text("A level of the name is empty")
NAME_WITH_CONTROL = Text("The name contains a control character")
NAME_TOO_LONG = Text("The name is too long or has too many levels")
MAILBOX_EXISTS = Text("There is already a mailbox with that name")
NAME_OF_OTHERS = Text("Names that begin with {first} are for mailboxes that others share")
SPECIAL_USE_TAKEN = Text("Another mailbox already has the special use {special_use}")
OTHER_UIDVALIDITY = Text("The mailbox {name} already has messages of its own, under another UIDVALIDITY")
STRANGE_UIDVALIDITY = Text("The UIDVALIDITY {number} cannot be kept")
STRANGE_MODSEQ = Text("The HIGHESTMODSEQ {number} cannot be kept")
TOO_MANY_MAILBOXES = Text("There are {mailboxes} mailboxes, which is the limit")
TOO_MANY_SUBSCRIPTIONS = Text("There are {subscriptions} subscriptions, which is the limit")
TOO_MANY_IDENTIFIERS = Text("The access control list has {identifiers} identifiers, which is the limit")
TOO_MANY_SHARERS = Text("Other accounts share with it already, as many as the limit allows: {accounts}")
INBOX_STAYS = Text("INBOX cannot be deleted")
HAS_CHILDREN = Text("The mailbox has mailboxes below it")
MOVES_BELOW_ITSELF = Text("A mailbox cannot be moved below itself")

# Quota

STORAGE_IS_FULL = Text("The account is full: it may hold {kib} KiB of mail")
MESSAGES_ARE_FULL = counted(
    "The account is full: it may hold {count} message", "The account is full: it may hold {count} messages"
)
MAILBOXES_ARE_FULL = counted(
    "The account is full: it may have {count} mailbox", "The account is full: it may have {count} mailboxes"
)

# Metadata

METADATA_TOO_LARGE = Text("A value may have at most {octets} octets")
METADATA_TOO_MANY = Text("There may be at most {most} entries here")
METADATA_FULL = Text("All values of an account together may have at most {octets} octets")

# Messages

MESSAGE_GONE = Text("The message no longer exists")
NO_UIDVALIDITY_LEFT = Text("No UIDVALIDITY is left")
NO_UIDS_LEFT = Text("No UIDs are left in the mailbox")
TOO_MANY_KEYWORDS = Text("A mailbox has at most {keywords} keywords")
KEYWORD_TOO_LONG = Text("A keyword has at most {octets} octets")
TOO_MANY_KEYWORD_SETS = Text("The messages of this account have too many different sets of keywords")
TOO_MANY_SETS_ASKED = Text("This asks for keywords that are in too many different sets; ask for fewer at a time")
TOO_MANY_REFERENCES = Text("These messages have more than {references} references, too many to be threaded")
TOO_LONG = Text("This took more than {seconds} seconds; ask for less at a time")

# Backups, for an operator

TARGET_IN_DATA = Text("{target} is in {data}, and would be lost with it; name a directory elsewhere")
NO_BACKUP = Text("{backup} is not a backup: there is no {file} in it")
NO_WHOLE_BACKUP = Text("{backup} is not a whole backup: there is no {file} in it")
NO_DIRECTORY = Text("{directory} is not a directory; name one that does not exist yet")
NOT_EMPTY = Text("{directory} is not empty; name a directory that does not exist yet")

# What is wrong with a file, for an operator

NO_FILE_OF_MEKTUP = Text("not a file of mektup: its application_id is {found}, not {expected}")
NEWER_VERSION = Text("it has version {version}, and this mektup knows versions up to {known}")
WAL_LOST = Text("the system has lost data that it did not write to the WAL")
WAL_TOO_SHORT = Text("the WAL is shorter than its committed data")
TEXT_MISSING = Text("content {content} is compressed with a text that is missing")
CANNOT_DECOMPRESS = Text("a compressed piece of a message cannot be decompressed: {error}")
NO_ANSWER = Text("no answer within {seconds} seconds")
NO_OBJECT_STORE = Text("{url} is no object store: {reason}")
OBJECT_STORES = Text("expected s3://bucket/prefix?endpoint=http://host:port&region=name or file:///directory")
NO_REASON = Text("no reason given")
PAST_IS_READ_ONLY = Text("the past can be read, and not be changed")
PAST_WAS_CLOSED = Text("this moment of the past was closed; open the mailbox again")
MOMENT_NOT_OVER = Text("this moment is not over yet")
MOMENT_UNKNOWN = Text("what was so long ago is not known any more; the history begins at {begun}")
NAME_OF_THE_PAST = Text("{first} is the name of the mailbox of deleted messages")
