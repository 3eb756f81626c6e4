"""What the server says to people: mistakes in the configuration, and addresses and files that cannot be used."""

from __future__ import annotations

from mektup.terms.texts import Text

# The configuration

DEFAULT_CONFIGURATION = Text("default configuration")
UNKNOWN_KEY = Text("unknown key {key}; allowed here: {allowed}")
MISSPELT_KEY = Text("unknown key {key}; did you mean {near}?")
EXPECTED = Text("expected {expected}, got {got}")
ADDRESS_IN_BRACKETS = Text('write even one address in brackets: ["127.0.0.1:1143"]')
NETWORK_IN_BRACKETS = Text('write even one network in brackets: ["10.0.0.0/8"]')
INVALID_VALUE = Text("invalid value {value}; allowed: {allowed}")
TLS_KEY_ALONE = Text("tls.key needs tls.cert beside it")

# What is expected or was found there

THE_FILE = Text("the file")
NOTHING = Text("nothing")
NUMBER = Text("number")
WHOLE_NUMBER = Text("whole number")
STRING = Text("string")
TRUE_OR_FALSE = Text("true or false")
ARRAY = Text("array")
TABLE = Text("table")
AT_MOST = Text("at most {most}")
MORE_THAN_0 = Text("more than 0")
PRINTABLE = Text("printable characters")
SOCKET_MODE = Text("a mode in octal for the owner and others, such as 0660")
WORKERS = Text("0 (one for each core) or up to {most}")
NETWORK = Text('an address, a network such as "10.0.0.0/8" without bits after its prefix, or "unix"')
URI = Text('a URI such as "mailto:postmaster@example.org"')
SIZE = Text('a size in octets, or with a unit as in "5 GiB"')
NONE_OR_UP_TO = Text("0 (none) to {most}")

# Addresses to listen at

ADDRESS = Text('"host:port", "[IPv6 address]:port", "*:port" or "unix:/path"')
ADDRESS_PORT = Text('"host:port", "[IPv6 address]:port", "*:port" or "unix:/path" with a port up to {most}')
IPV6_BRACKETS = Text("an IPv6 address needs brackets")
TAKEN = Text("{address} is taken already, by listen.{other}")
NO_ADDRESS = Text("expected an address of at least one service of {services}; without the table, the defaults apply")
LISTEN_MAPPING = Text("services and addresses, as in {example}")
LISTEN_ADDRESS = Text('an address such as "{example}", or a list')
ONE_OF = Text("one of {allowed}")
CANNOT_LISTEN = Text("cannot listen at {address}: {reason}")
CANNOT_LISTEN_NOW = Text("cannot listen: {reason}")
NO_SOCKET = Text("there is a file that is not a socket")
RUNTIME_DIRECTORY = Text("RuntimeDirectory={name} in a unit of systemd makes it")
LOW_PORT = Text(
    "a port below {port} needs root, or the capability CAP_NET_BIND_SERVICE "
    "(AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd)"
)

# The host name

HOSTNAME = Text('a host name such as "mail.example.org", or an address in brackets')
HOSTNAME_ASCII = Text('a host name such as "mail.example.org", or an address in brackets, in ASCII')
WRITE_IT_AS = Text("write it as {written}")
MOST_OCTETS = Text("at most {most} octets")
MOST_LABEL_OCTETS = Text("at most {most} octets between two dots")
OCTETS_OF = Text("{text} of {octets}")

# The certificate

NOT_THERE = Text("{file} is not there")
WRONG_KEY = Text("key values mismatch, the key in {file} is not the key of the certificate in {cert}")
PASSPHRASE = Text("the key in {file} has a passphrase, and nobody is there to give it")
NEEDS_EXTRA = Text("this needs a library that is not installed: pip install 'mektup[{extra}]'")
JWKS_PLACE = Text("a file, or a URL that begins with https:// (http:// only on this machine)")
HIDES_WHERE = Text("expected one of {services}, or an address of [listen]")
HIDE_LIST = Text("a list of capabilities, such as {example}")
HIDES_WHAT = Text("cannot be hidden; what can be is {names}")
NO_CERTIFICATES = Text("it holds no certificates in PEM")
UNUSABLE = Text("{file} cannot be used: {reason}")
UNUSABLE_BECAUSE_IT = Text("{file} cannot be used: it {reason}")
TWO_FILES = Text("{first} and {second}")
NO_CERTIFICATE = Text("holds no certificate")
NO_KEY = Text("holds no key")
OTHER_KEY = Text("is the key of another certificate")
PAIR_FILE_MISSING = Text("is not there")
KEY_NAMES_FILE = Text("tls.key names the file that has it")
EXCHANGED = Text("tls.cert and tls.key are exchanged")
NO_CERTIFICATE_FOR_TLS = Text("There is no certificate for TLS")

# The store

DSN = Text(
    'a connection string of PostgreSQL, such as "postgresql://mektup@db.example.org/mektup" '
    "(in a password, write @ as %40 and / as %2F)"
)
SHARDS = Text('at least one shard, such as a = "postgresql://mektup@db.example.org/mektup"')
SHARD_NAME = Text("names of at most 32 lowercase letters, digits and hyphens")
NATS_SERVERS = Text('URLs of NATS servers, such as "nats://one.example.org:4222,nats://two.example.org:4222"')
NOT_SHOWN = Text("something else, which is not shown, because it may hold a password")
ONLY_POSTGRES = Text('this key only with engine = "postgres"')
IT_IS_SET = Text("it without")
FROM_TO = Text("a number from {least} to {most}")
NEEDS_DATA = Text("a data directory is needed, also for mail in PostgreSQL: it has the sockets and the certificate")

# The end of a connection, for its client

SHUTTING_DOWN = Text("The server is shutting down")
ENDED_BY_OPERATOR = Text("The operator of the server has ended this session")
ENDED_BECAUSE = Text("The operator of the server has ended this session: {reason}")
FULL = Text("Too many connections; try again later")
FULL_FOR_NETWORK = Text("Too many connections from your address have not logged in")
TLS_EXPECTED = Text("This port expects TLS from the first octet")
NO_WEB_SERVER = Text("This is not a web server, and this port expects TLS from the first octet")

# The data directory

RESTORE_UNFINISHED = Text(
    "{directory} has a restore that did not end, and only a part of the mail; run the same mektup restore again, which "
    "continues it, or empty the directory"
)

# Workers

WORKERS_DO_NOT_START = Text("the workers do not start")
WORKER_DOES_NOT_ANSWER = Text("worker {number} does not answer")

# Users from a program

USERS = Text("names and passwords, as in {example}")
USER_AND_PASSWORD = Text("each name and password as a str, as in {example}")
OTHERWISE = Text("something else for {name}")
