"""What the store says to people: refusals of mailboxes, messages and accounts, and faults of the machine."""

from __future__ import annotations

from mektup.terms.texts import Text

# Faults of the machine

DISK_FULL = Text("No room is left on the server's disk")
DISK_FAILED = Text("The server's disk failed")
DISK_READ_ONLY = Text("The server's disk cannot be written to now")
TOO_MANY_FILES = Text("The server has too many files open, try again later")
OUT_OF_MEMORY = Text("The server is out of memory, try again later")
FILE_DAMAGED = Text("The account's file is damaged")
FILE_REPLACED = Text("A file of the account was removed or replaced while it was in use")
FILE_DENIED = Text("The server may not use a file of the account")
FILE_NEWER = Text("The account's file was written by a newer version of mektup")
ACCOUNT_UNUSABLE = Text("The account cannot be read or written now")
ACCOUNT_BUSY = Text("The account is busy, try again")
STOPPING = Text("The server is stopping")
NOT_KNOWN = Text("whether this was done is not known")

# Files, for an operator

CANNOT_BE_MADE = Text("{path} cannot be made: {reason}")
PERMISSION_DENIED = Text("{path}: Permission denied; it belongs to {owner}, mektup runs as {user}")
ROOT_MAY_NOT_GIVE = Text("{path}: root may not give it to {owner}; use that user: sudo -u {owner} mektup ...")
