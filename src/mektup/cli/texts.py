"""What the command line says: help, results, questions and errors."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Help

MEKTUP = Text("Mektup: an IMAP server, with LMTP and POP3 beside it.")
INIT = Text(
    """Make a mail server of this machine: a user, a configuration, a unit of systemd; and say what comes next.

It finds out what it can, shows what it will do, and asks once. What is there already stays, so it can run again."""
)
SERVE = Text("Serve mail. SIGTERM stops when sessions have finished; SIGHUP reloads configuration and certificates.")
DEMO = Text("Serve a demo: account linda, password Pa$$123, three messages. Nothing is kept when it stops.")
SHOW_CONFIG = Text(
    """Show every key of the configuration, with its value in effect and where that comes from.

The output is a configuration file itself. KEY shows only one key, such as limits.line_bytes, or one table."""
)
IMPORT = Text("""Bring the mail at PATH into ACCOUNT, with its folders, flags, dates and, where there are any, UIDs.

PATH is a Maildir, an mbox or a folder of them, mail of Thunderbird or Apple Mail, a folder of .eml files, or the mbox
of Google Takeout. Servers may keep running. Run it again, also after it was stopped: only what is new comes. What
cannot be imported is told, the rest is imported, and the exit status is 1.""")
IMPORT_PATH = Text("The file or the folder with the mail, or a server: imaps://USER@HOST.")
EXPORT = Text("""Write the mail of ACCOUNT to PATH, with its folders, flags, dates and UIDs, while servers run.

mektup import reads every form again, and other programs do, too.""")
EXPORT_PATH = Text("A new or empty folder; with --mailbox and --to mbox, a new file.")
EXPORT_MAILBOX = Text("Only this mailbox of the account.")
EXPORT_TO = Text("The form: {forms}")
IMPORT_INTO = Text("The mailbox for the mail; that of other folders goes below it.")
IMPORT_DRY_RUN = Text("Read everything, say what would be imported, and change nothing.")
IMPORT_FOLLOW = Text(
    "Also change flags and remove messages as the server did since the last import. For the time before the switch."
)
IMPORT_MAILBOX = Text("Only this mailbox of the server, by its name here; may be given several times.")
IMPORT_SKIP = Text("Not this mailbox of the server, by its name here; may be given several times.")
IMPORT_PASSWORD_FILE = Text("Its first line is the password; - is standard input. Without it, you are asked.")
IMPORT_TOKEN_FILE = Text("Its first line is a token of OAuth 2.0, used in place of a password.")
IMPORT_MASTER = Text("Whose password it is, if that user may log in as any other.")
IMPORT_LOGIN = Text("How to log in: SCRAM-SHA-256, PLAIN, LOGIN, OAUTHBEARER or XOAUTH2. By default the best.")
IMPORT_CA_FILE = Text("Certificates in PEM that are trusted in place of those of the system.")
IMPORT_INSECURE = Text("Accept any certificate, and send the password in the clear if there is no encryption.")
IMPORT_SHARING = Text("Whether the rights of others on mailboxes, and the quota, are taken over.")
IMPORT_USERS = Text(
    "Many users of the server, in CSV. The first line names the columns: user, password or token, account, master."
)
IMPORT_JOBS = Text("How many of them at a time.")
IMPORT_FROM = Text("What is at PATH, where it is not recognised: {kinds}")
COMPLETION = Text(
    """Print a script for a shell, which then completes commands, options, and the names of accounts.

bash: source <(mektup completion bash) in ~/.bashrc"""
)
BACKUP = Text("Back up accounts while servers run: create, list, verify, prune, copy.")
CHECK = Text("""Check the mail of accounts, or of all, while servers run or not. It changes nothing without --repair.

Exit status: 0 where all is clean, 1 where something was found.""")
RESTORE = Text("""Restore the backup DIR: everything to a new data directory, or an account, a mailbox or a message.

A new data directory has a new UIDVALIDITY in every mailbox, so that clients fetch all mail again. With --account, the
server may run: what is missing is added, flags are set back, and nothing is removed. Restoring again adds nothing.""")
USER = Text("Accounts: add, list, show, passwd, remove, import, quota, renew, compact.")
USER_ADD = Text("Add an account, with INBOX, Drafts, Sent, Junk, Trash and Archive.")
USER_LIST = Text("List the accounts: what each holds, its quota, and its last login, up to five minutes ago.")
USER_SHOW = Text("Show an account: what it holds and may hold, its last login, and how it logs in.")
USER_PASSWD = Text("Change the password of an account.")
USER_HIDE = Text(
    "Hide capabilities of IMAP from the clients of an account, in place of those hidden before; without names, hide "
    "nothing. Holds from the next login."
)
USER_REMOVE = Text("Remove an account and all of its mail.")
USER_IMPORT = Text(
    "Add accounts from a passwd-file, with {{PLAIN}} passwords or hashes. "
    "Accounts that exist get the new password.\n\n"
    "A line that cannot be imported is reported, the other lines are imported, and the exit status is 1."
)
USER_QUOTA = Text(
    """Show what an account holds and may hold; with options, set its limits. A running server obeys them at once.

--config names the file that has the default limits."""
)
USER_RENEW = Text(
    "Give every mailbox a new UIDVALIDITY, so that clients fetch all mail again, after an old copy was restored."
)
USER_COMPACT = Text("Rewrite an account's file without the space of removed mail. Changes to it wait meanwhile.")

DNS = Text("Print the DNS records for a domain, or settings for mail programs. Changes nothing.")
DOMAIN = Text("Domains: add, list, remove. With any, the server takes mail for these only.")
DOMAIN_ADD = Text("Add a domain. Mail for other domains is refused from then on, unless they are added, too.")
DOMAIN_LIST = Text("List the domains, one name in each line.")
DOMAIN_REMOVE = Text("Remove a domain that no alias has. Accounts stay. Without any domain, mail for all is taken.")
ALIAS = Text("Aliases, more addresses of accounts: add, list, remove.")
ALIAS_ADD = Text(
    """Let an address lead to accounts of this server, also to those that it leads to already.

info@example.org is one address, postmaster the same in every domain, @example.org what no other name there takes."""
)
ALIAS_LIST = Text("List the aliases: the address, then its accounts.")
ALIAS_REMOVE = Text("Remove accounts from an alias; without any, the whole alias.")

WHO = Text("List the sessions: who is connected, from where, and what the session does.")
KICK = Text(
    """End sessions between two commands, with a farewell; a client that hangs is cut off after two seconds.

Its program may connect again at once. A changed password or a removed account keeps it out."""
)
TRACE = Text(
    """Show what a user's programs and the server say to each other, live, until Ctrl-C.

Passwords are never shown. The trace of a user begins with the answer to the login, the trace of an --address with the
greeting. Sessions that begin later are shown, too."""
)

BACKUP_DIR = Text("The directory for the copy. It must be empty or new.")
RESTORE_DIR = Text("The directory that mektup backup create or mektup backup copy made.")
NAME = Text("linda, or linda@example.org")
DOMAIN_NAME = Text("such as example.org")
ALIAS_ADDRESS = Text("info@example.org, postmaster, or @example.org")
ALIAS_ACCOUNTS = Text("The names of accounts.")
PASSWORD_STDIN = Text("Take the password from the first line of standard input.")
YES = Text("Do not ask.")
IMPORT_FILE = Text("One line for each account, name:{{SCHEME}}secret; - is standard input")
ALL = Text("All accounts.")
NAMES_ONLY = Text("Only the names, one in each line.")
QUOTA_STORAGE = Text("The most mail, such as 10G or 500M; none for no limit.")
QUOTA_MESSAGES = Text("The most messages; none for no limit.")
QUOTA_MAILBOXES = Text("The most mailboxes; none for no limit.")
QUOTA_DEFAULT = Text("Remove the limits of this account, so that the default ones count.")
WHO_USER = Text("Only the sessions of this user.")
WHOM = Text("A user, or the ID of a session.")
ADDRESS = Text("Only clients at this address or in this network, such as 192.0.2.0/24, or unix.")
STRANGERS = Text("List connections that have not logged in, too.")
JSON = Text("One JSON object in each line.")
REASON = Text("What the clients are told, in one line of ASCII.")
STOP_AFTER = Text("Stop after so many commands.")
BYTES = Text("Show literals and messages, too, up to 64 KiB of each.")
SERVE_CHECK = Text("Do not serve: check the configuration, the certificate, the data, the ports and the machine.")
SHELL = Text("The shell.")
CONFIG_KEY = Text("A key or a table; all by default.")
CONFIG_DEFAULTS = Text("Show the defaults.")
CONFIG_JSON = Text("Print one JSON object: for each key its value, its default, and whether the file sets it.")
DATA = Text("The data directory; ./mektup-data by default.")
CONFIG = Text("The server's TOML file.")
VERSION = Text("Show the version and exit.")

# What the library of the command line says in a help

USAGE = Text("Usage: ")
HELP = Text("Show this message and exit.")
LOOKED_UP_BY_THE_LIBRARY = (Text("Arguments"), Text("Options"), Text("Commands"), Text("required"))

# What is wrong with a command line

TRY_HELP = Text("{command} --help explains the command.")
NO_OPTION = Text("there is no option {name}")
NEAR = Text("near it: {names}")
NO_COMMAND = Text("there is no command {name}")
TOO_MUCH = Text("these arguments are too many: {name}")
IS_MISSING = Text("{name} is missing")
NEEDS_A_VALUE = Text("the option {name} needs a value")

# Results

COPIED = counted("copied {count} account to {directory}", "copied {count} accounts to {directory}")
RESTORED = counted("restored {count} account to {directory}", "restored {count} accounts to {directory}")
ADDED = Text("added {name}")
PASSWORD_CHANGED = Text("changed the password of {name}")
HIDDEN = Text("hidden from {name}: {names}")
NOTHING_HIDDEN = Text("nothing is hidden from {name}")
CANNOT_HIDE = Text("{name} cannot be hidden; what can be is {names}")
REMOVED = Text("removed {name}")
IMPORTING = Text("importing")
IMPORTED = counted("imported {count} account", "imported {count} accounts")
RENEWED = Text("renewed {name}")
RENEWED_ALL = counted("renewed {count} account", "renewed {count} accounts")
COMPACTED = Text("compacted {name}")
COMPACTED_ALL = counted("compacted {count} account", "compacted {count} accounts")
LEADS_TO = Text("{address} leads to {accounts}")
TAKES_ALL = Text("there are no domains any more: mail for every domain is taken")
ELSEWHERE = counted(
    "{count} account or alias, such as {name}, is in another domain and gets no mail; mektup domain add adds a domain",
    "{count} accounts and aliases, such as {name}, are in other domains and get no mail; "
    "mektup domain add adds a domain",
)

STORAGE = Text("storage")
MESSAGES = Text("messages")
MAILBOXES = Text("mailboxes")
OF_DEFAULT = Text("{used} of {most}, by default")
OF_OWN = Text("{used} of {most}")
NO_LIMIT = Text("{used}, no limit")

ENDED = counted("ended {count} session", "ended {count} sessions")

# A check before the start

FINE = Text("ok")
WARNING = Text("warning")
ERROR = Text("ERROR")
CHECK_PASSED = Text("the server can run")
CHECK_FAILED = Text("the server cannot run as configured")

# The configuration

IS_DEFAULT = Text("default")
IS_GIVEN = Text("given")
IS_NONE = Text("none")
IS_REQUIRED = Text("required if this table is there")

# The list of sessions

USER_COLUMN = Text("user")
QUOTA_COLUMN = Text("quota")
LAST_LOGIN_COLUMN = Text("last login")
NEVER = Text("never")
SECRETS = Text("secrets")
HIDES = Text("hidden capabilities")
STATE_COLUMN = Text("state")
PROTOCOL_COLUMN = Text("protocol")
ADDRESS_COLUMN = Text("address")
SINCE_COLUMN = Text("since")
LAST_COLUMN = Text("last command")
IN_COLUMN = Text("in")
OUT_COLUMN = Text("out")
CLIENT_COLUMN = Text("client")
SESSION_COLUMN = Text("session")
WORKER_COLUMN = Text("worker")

# A trace

WAITING = Text("waiting for sessions; Ctrl-C stops")
FOLLOWED = Text("{protocol} session with {address}, user {user}, worker {worker}")
FOLLOWED_STRANGER = Text("{protocol} session with {address}, worker {worker}")
FOLLOWED_NO_MORE = Text("end")
LINES_LOST = counted(
    "{count} line is missing here, because it was read too slowly",
    "{count} lines are missing here, because they were read too slowly",
)

# Questions

PASSWORD = Text("Password")
PASSWORD_AGAIN = Text("Repeat for confirmation")
REALLY_REMOVE = Text("Remove {name} and all of its mail?")

# Errors

COMPLAINT = Text("mektup: {problem}")
NO_ACCOUNT = Text("there is no account {name}")
ACCOUNT_EXISTS = Text("there is an account {name} already; mektup user passwd changes its password")
DATA_OR_CONFIG = Text("give either --data or --config")
DEFAULTS_OR_FILE = Text("--defaults needs neither --data nor --config")
NO_KEY = Text("there is no key {key}; mektup config shows all")
NAME_OR_ALL = Text("give either the NAME of an account or --all")
LIMITS_OR_DEFAULT = Text("give either --default or limits")
NO_SIZE = Text("{text} is no size; sizes are such as 10G, 500M or none")
NO_NUMBER = Text("{text} is no number; expected a number or none")
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

NO_SERVER = Text("no server is running on {directory}")
SERVER_GONE = Text("the server has ended")
SERVER_FORBIDS = Text("the server answers only its own user and root")
SERVER_BUSY = Text("too many commands ask the server at the same time; try again later")
SERVER_NOT_UNDERSTANDING = Text("the server did not understand this command")
OTHER_VERSION = Text("the server runs another version of mektup; restart it, or use the command of its version")
WORKER_SILENT = Text("worker {number} does not answer; its sessions are missing")
WHOM_OR_ADDRESS = Text("give a user, the ID of a session or --address")
NO_NETWORK = Text("{text} is neither an IP address nor a network such as 192.0.2.0/24, nor unix")
REASON_NOT_ASCII = Text("the reason may have at most {most} printable ASCII characters")

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

# The past of an account

UNDELETE = Text("""Bring expunged messages back to where they were, with their flags, under new UIDs.

The options say which ones; together, all of them must hold. --list shows them.""")
UNDELETE_MAILBOX = Text("Those of this mailbox, which need not exist any more.")
UNDELETE_SINCE = Text("Those removed since then: 2026-11-30, 2026-11-30T12:00, or 2h, 3d ago.")
UNDELETE_FROM = Text("Those with this in From.")
UNDELETE_SUBJECT = Text("Those with this in the subject.")
UNDELETE_UID = Text("Those with these old UIDs: 3, or 1:5,9.")
UNDELETE_ALL = Text("All that are kept.")
UNDELETE_TO = Text("Bring them to this mailbox instead.")
UNDELETE_LIST = Text("Show them, and change nothing.")
UNDELETE_DRY_RUN = Text("Say what would happen, and change nothing.")
UNDELETE_FORGET = Text("Really remove them now, so that nobody can bring them back.")
UNDELETE_JSON = Text("Print lines of JSON, for programs.")
UNDELETE_WHAT = Text("say which messages: --mailbox, --since, --from, --subject, --uid or --all")
NO_MOMENT = Text("{text} is no moment; moments are such as 2026-11-30, 2026-11-30T12:00, 2026-11-30T12:00+03:00 or 3d")
NO_UIDS = Text("{text} is no set of UIDs; sets are such as 3 or 1:5,9")
NOTHING_KEPT = Text("no such message is kept")
WOULD_COME_BACK = counted(
    "{count} message would come back to {mailbox}", "{count} messages would come back to {mailbox}"
)
CAME_BACK = counted("{count} message is back in {mailbox}", "{count} messages are back in {mailbox}")
WOULD_BE_FORGOTTEN = counted("{count} message would be removed", "{count} messages would be removed")
REALLY_FORGET = counted(
    "Remove {count} message for ever, from the history of its mailbox, too?",
    "Remove {count} messages for ever, from the history of their mailboxes, too?",
)
FORGOTTEN = counted("removed {count} message for ever", "removed {count} messages for ever")
NOTHING_FORGOTTEN = Text("nothing was removed; use --yes to answer in advance")
AT = Text("""Show the mail of an account as it was at a moment: its mailboxes, or the messages of one with their flags.

How far back that is possible, limits.expunged_seconds says.""")
AT_WHEN = Text("2026-11-30, 2026-11-30T12:00, 2026-11-30T12:00:30+03:00, or 2h, 3d ago.")
AT_MAILBOX = Text("The name that the mailbox had then.")
AT_EXPORT = Text("Write the messages as .eml files to this directory, which must be empty or new.")
EXPORT_NOT_EMPTY = Text("{directory} is not an empty directory")
EXPORTED = counted("wrote {count} message to {directory}", "wrote {count} messages to {directory}")
KEPT_LINE = counted("{size} in {count} message", "{size} in {count} messages")
EXPUNGED = Text("expunged, but kept")
REMOVED_AT_COLUMN = Text("removed")
MAILBOX_COLUMN = Text("mailbox")
UID_COLUMN = Text("UID")
SIZE_COLUMN = Text("size")
FROM_COLUMN = Text("from")
SUBJECT_COLUMN = Text("subject")
FLAGS_COLUMN = Text("its flags")
DATE_COLUMN = Text("date")
UNSEEN_COLUMN = Text("unseen")

# Importing mail

READING_AS = Text("{path}: {kind}")
KIND_UNKNOWN = Text("{kind} is no kind of mail; there are {kinds}")
MAIL_IMPORTED = counted("imported {count} message", "imported {count} messages")
MAIL_WOULD_BE_IMPORTED = counted("{count} message would be imported", "{count} messages would be imported")
MAIL_KNOWN = counted("{count} message was there already", "{count} messages were there already")
MAIL_VANISHED = counted("{count} message was removed meanwhile", "{count} messages were removed meanwhile")
NOT_ALL_IMPORTED = counted("{count} problem, told above", "{count} problems, told above")
MAIL_OF = Text("mail")

# Mail of another server

FLAGS_FOLLOWED = counted("changed the flags of {count} message", "changed the flags of {count} messages")
REMOVALS_FOLLOWED = counted("removed {count} message", "removed {count} messages")
RIGHTS_TAKEN = counted(
    "took over {count} right of others on a mailbox", "took over {count} rights of others on mailboxes"
)
QUOTA_TAKEN = Text("took over the quota")
GOES_ON = Text("{problem}; run the same command again, and it goes on from here")
INSECURE_IS_ON = Text(
    "--insecure is on: whoever is between here and the server can read the password and the mail, and change them"
)
NO_SUCH_LOGIN = Text("{name} is no way to log in; there are {names}")
WRONG_JOBS = Text("--jobs is a number from 1 to {most}")
USER_IN_URL_AND_TABLE = Text("the address must not name a user, because --users does")
USERS_OR_ACCOUNT = Text("give an account and where its mail is; or --users and the address of the server")
ONLY_ON_FILES = Text(
    "mektup {command} works on the files of accounts, and the mail of this configuration is in PostgreSQL"
)
ONLY_FOR_FILES = Text("--from is for files, not for a server")
ONLY_FOR_SERVERS = Text("these options are for another server, such as imaps://linda@mail.example.org")
USERS_IMPORTED = counted("imported the mail of {count} user", "imported the mail of {count} users")
USERS_FAILED = counted(
    "{count} user has problems, told above: {names}", "{count} users have problems, told above: {names}"
)
NOTHING_IN_FILE = Text("{file} has no first line")
PASSWORD_THERE = Text("Password of {name} at the other server")
NO_TERMINAL_FOR_IMPORT = Text("there is no terminal to ask for the password; use --password-file")
# Exporting mail

FORM_UNKNOWN = Text("{form} is no form; there are {forms}")
MAIL_EXPORTED = counted("exported {count} message to {path}", "exported {count} messages to {path}")
