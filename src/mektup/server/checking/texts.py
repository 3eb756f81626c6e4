"""What ``mektup serve --check`` says."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

AS_SAID = Text("{problem}")

IS_RUNNING = Text("a server is running, process {process}")
NOT_RUNNING = Text("no server is running; it would run as {user}")

NO_DATA = Text("{directory} is not there; the server would make it")
NO_DIRECTORY = Text("{directory} is not a directory")
UNFINISHED = Text("{directory} has a restore that did not end; the server does not start with it")
CONTINUE_RESTORE = Text("run the same mektup restore again, which continues it, or empty the directory")
NO_ACCOUNTS = Text("{directory} has no accounts yet")
ADD_ONE = Text("mektup user add")
FOREIGN = counted(
    "{count} file, {file}, belongs to {owner}; the server runs as {user}",
    "{count} files, such as {file}, belong to {owner} or others; the server runs as {user}",
)
OPEN = Text("other users may write to {file}")
DATA_FINE = Text("{directory} belongs to {user}, with all that is in it")

DATABASE_WRONG = Text("PostgreSQL cannot read this connection string")
DATABASE_DOWN = Text("the database cannot be used: {reason}")
OTHERS_SERVE = Text("the accounts of the other shards are served, and these as soon as it is back")
OLD_SERVER = Text("the server is PostgreSQL {version}, and mektup needs 15 or newer")
SCHEMA_TOO_NEW = Text("the tables were made by a newer mektup, which this one cannot work beside")
UPGRADE = Text("upgrade mektup on this machine")
DATABASE_EMPTY = Text("the database can be used, and has no tables of mektup yet; the server would make them")
DATABASE_FINE = Text("the database can be used")
NOT_SYNCHRONOUS = Text(
    "no standby has a commit when it is acknowledged: if the machine is lost, so are the last changes"
)
SET_STANDBYS = Text("synchronous_standby_names in postgresql.conf")
CLOCKS_DIFFER = counted(
    "the database's clock and this machine's differ by {count} second",
    "the database's clock and this machine's differ by {count} seconds",
)
BUS_DOWN = Text(
    "the bus between nodes cannot be used: {reason}; changes of other nodes would be seen some seconds late"
)
BUS_FINE = Text("the bus between nodes can be used")

READ_ONLY = Text("the file system of {directory} is read-only")
NO_INODES = Text("the file system of {directory} has no room for another file")
DISK_FULL = Text("only {free} are free on the file system of {directory}; mail will be refused soon")
DISK_SHORT = Text("only {free} are free on the file system of {directory}")
DISK_FINE = Text("{free} are free")

SELF_SIGNED = Text("there is no certificate; mektup makes a self-signed one for {name}, and programs will warn of it")
JOIN_GROUP = Text("put the server into the group {group}: SupplementaryGroups={group} in the unit of systemd")
ENDED = Text("the certificate {file} expired on {date}")
NOT_BEGUN = Text("the certificate {file} is valid only from {date}")
ENDS_SOON = counted("the certificate {file} expires in {count} day", "the certificate {file} expires in {count} days")
RENEW = Text("renew it; the server uses the new files by itself")
CERTIFICATE_FINE = counted(
    "the certificate is valid for {count} more day: {names}", "the certificate is valid for {count} more days: {names}"
)
OTHER_NAMES = Text("the server is {name}, but its certificate is for {names}")
NO_NAMES = Text("no name")
NOT_THERE = Text("there is no {file}")

FREE = Text("{address} is free")
OURS = Text("{address} belongs to the running server")
PROBABLY_OURS = Text("{address} is taken, by the running server as far as can be seen; root sees more")
TAKEN = Text("{address} is taken by another program")
TAKEN_BY = Text("{address} is taken by {program}, process {process}")
STOP_IT = Text("stop {program}, or choose another port")
CANNOT_LISTEN = Text("nobody can listen at {address}: {reason}")
LOW_PORT = Text("{address} needs a privilege that this user does not have")
CAPABILITY = Text("the unit of mektup init gives it (AmbientCapabilities=CAP_NET_BIND_SERVICE)")
NO_SOCKET = Text("{file} is there, and no socket")
NO_RUNTIME_DIRECTORY = Text("{directory} is not there")
UNIT_MAKES_IT = Text("the unit of mektup init makes it at the start (RuntimeDirectory)")
SOCKET_FINE = Text("{file} can be used")

FEW_FILES = Text("the server may have only {most} files open; a connection needs one, an account a few")
MORE_FILES = Text("LimitNOFILE= in the unit of systemd, or ulimit -n")
FILES_FINE = counted("{count} worker may have {most} files open", "{count} workers may have {most} files open, each")

CLOCK_BEHIND = Text("files of the data directory were written at {date}, which has not come yet")
CLOCK_FREE = Text("the clock is not synchronized")
SET_CLOCK = Text("timedatectl shows the clock, and timedatectl set-ntp true keeps it right")
CLOCK_FINE = Text("the clock agrees with the files of the data directory")
