"""What the command line says: help, results, questions and errors."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Help

MEKTUP = Text("Mektup: an IMAP server, with LMTP and POP3 beside it.")
SERVE = Text("Serve mail. SIGTERM stops when sessions have finished; SIGHUP reloads configuration and certificates.")
DEMO = Text("Serve a demo: account linda, password Pa$$123, three messages. Nothing is kept when it stops.")
BACKUP = Text("Copy all accounts and their mail to DIR, each as it is at one moment. Servers may keep running.")
RESTORE = Text("""Make a new data directory from the backup DIR.

Every mailbox gets a new UIDVALIDITY, so that clients fetch all mail again.""")
USER = Text("Accounts: add, list, passwd, remove, import, renew, compact.")
USER_ADD = Text("Add an account, with INBOX, Drafts, Sent, Junk, Trash and Archive.")
USER_LIST = Text("List the accounts, one name in each line.")
USER_PASSWD = Text("Change the password of an account.")
USER_REMOVE = Text("Remove an account and all of its mail.")
USER_IMPORT = Text(
    "Add accounts from a passwd-file, with {{PLAIN}} passwords or hashes. "
    "Accounts that exist get the new password.\n\n"
    "A line that cannot be imported is reported, the other lines are imported, and the exit status is 1."
)
USER_RENEW = Text(
    "Give every mailbox a new UIDVALIDITY, so that clients fetch all mail again, after an old copy was restored."
)
USER_COMPACT = Text("Rewrite an account's file without the space of removed mail. Changes to it wait meanwhile.")

BACKUP_DIR = Text("The directory for the copy. It must be empty or new.")
RESTORE_DIR = Text("The directory that mektup backup made.")
NAME = Text("linda, or linda@example.org")
PASSWORD_STDIN = Text("Take the password from the first line of standard input.")
YES = Text("Do not ask.")
IMPORT_FILE = Text("One line for each account, name:{{SCHEME}}secret; - is standard input")
ALL = Text("All accounts.")
DATA = Text("The data directory; ./mektup-data by default.")
CONFIG = Text("The server's TOML file.")
VERSION = Text("Show the version and exit.")

# What the library of the command line says in a help

USAGE = Text("Usage: ")
HELP = Text("Show this message and exit.")
LOOKED_UP_BY_THE_LIBRARY = (Text("Arguments"), Text("Options"), Text("Commands"), Text("required"))

# Results

COPIED = counted("copied {count} account to {directory}", "copied {count} accounts to {directory}")
RESTORED = counted("restored {count} account to {directory}", "restored {count} accounts to {directory}")
ADDED = Text("added {name}")
PASSWORD_CHANGED = Text("changed the password of {name}")
REMOVED = Text("removed {name}")
IMPORTING = Text("importing")
IMPORTED = counted("imported {count} account", "imported {count} accounts")
RENEWED = Text("renewed {name}")
RENEWED_ALL = counted("renewed {count} account", "renewed {count} accounts")
COMPACTED = Text("compacted {name}")
COMPACTED_ALL = counted("compacted {count} account", "compacted {count} accounts")

# Questions

PASSWORD = Text("Password")
PASSWORD_AGAIN = Text("Repeat for confirmation")
REALLY_REMOVE = Text("Remove {name} and all of its mail?")

# Errors

COMPLAINT = Text("mektup: {problem}")
NO_ACCOUNT = Text("there is no account {name}")
ACCOUNT_EXISTS = Text("there is an account {name} already; mektup user passwd changes its password")
DATA_OR_CONFIG = Text("give either --data or --config")
NAME_OR_ALL = Text("give either the NAME of an account or --all")
NAME_NOT_UTF8 = Text("the name is not UTF-8")
STDIN_CLOSED = Text("standard input is closed")
NO_TERMINAL = Text("there is no terminal to ask for the password; --password-stdin takes it from a pipe")
NOT_THERE = Text("{directory} is not there; --data or --config names the directory of the accounts")
NO_DIRECTORY = Text("{directory} is not a directory; --data or --config names the directory of the accounts")
NO_ACCOUNTS = Text("{directory} has no accounts of mektup; --data or --config names the directory of the accounts")
NO_DATA_DIRECTORY = Text("{directory} is not a data directory; --data or --config names the directory of the accounts")
BELONGS_TO_ROOT = Text(
    "{directory} is new and belongs to root; if the server runs as another user, "
    "give the directory to that user: chown -R USER {quoted}"
)

# Errors of an import

IN_LINE = Text("{file}: line {line}: {problem}")
NOT_IMPORTED = counted(
    "{file}: {count} line was not imported; the known schemes are {schemes}",
    "{file}: {count} lines were not imported; the known schemes are {schemes}",
)
EXPECTED_LINE = Text("expected name:{{SCHEME}}secret")
NO_SECRET = Text("{name} has no secret; expected name:{{SCHEME}}secret")
NAME_TWICE = Text("{name} is in line {line} already")

# The demo

DEMO_IS = Text("a mail server in memory, with three messages for linda")
DEMO_IMAP = Text("IMAP, STARTTLS")
DEMO_IMAPS = Text("IMAP over TLS")
DEMO_POP3 = Text("POP3, STLS")
DEMO_POP3S = Text("POP3 over TLS")
DEMO_LMTP = Text("LMTP, mail comes in here")
DEMO_ACCOUNT = Text("account")
DEMO_PASSWORD = Text("password")
DEMO_TRY = Text("Try it in another terminal:")
DEMO_STOP = Text("Ctrl-C stops the server, and nothing is kept.")
