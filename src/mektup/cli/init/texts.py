"""What ``mektup init`` says, and the comments in the files that it writes."""

from __future__ import annotations

from mektup.terms.texts import Text

# What it found

FOUND_HOSTNAME = Text("name of this server")
FOUND_DOMAIN = Text("mail for")
FOUND_CERTIFICATE = Text("certificate")
FOUND_DATA = Text("data directory")
FOUND_USER = Text("runs as")
OWN_CERTIFICATE = Text("none for that name; mektup makes a self-signed one")

# What it does

DONE_ALREADY = Text("  is there: {what}")
TO_DO = Text("  to do: {what}")
IS_KEPT = Text("  differs, and stays: {what} (--replace writes it anew)")
IS_REPLACED = Text("  to do, replaces another text: {what}")
STEP_USER = Text("the system user {user}")
STEP_DATA = Text("the directory {directory}, which belongs to {user}")
STEP_OWNER = Text("{user} owns {directory} and all that is in it")
STEP_CONFIG = Text("the configuration {file}")
STEP_HOOK = Text("{file}, with which certbot copies each renewed certificate")
STEP_COPIES = Text("the certificate and its key in {directory}")
STEP_UNIT = Text("the unit of systemd {file}")
STEP_RELOAD = Text("systemd reads its units again")
STEP_ROTATION = Text("{file}, which rotates the log")
STEP_FAIL2BAN = Text("{file} of Fail2Ban")
NOTHING_TO_DO = Text("there is nothing to do")
NEEDS_ROOT = Text("only root can do that; --print shows the files, and writes nothing")
REALLY = Text("Do this?")
NOTHING_DONE = Text("nothing was done")
ALL_DONE = Text("done")

# What an operator should know

SELF_SIGNED = Text("programs will warn of the self-signed certificate; a certificate for {name} avoids that")
KEY_CLOSED = Text(
    "{user} cannot read the key {file}; give it a group that {user} is in (chgrp, chmod 640), and run this again"
)
NO_WHOLE_NAME = Text("{name} is no whole name; --hostname names the server, such as mail.example.org")
COMMAND_CLOSED = Text("{user} cannot run {file}; install mektup where every user may read it, such as /opt/mektup")
NO_SYSTEMD = Text("there is no systemd here; start the server with your own means: {command}")

# What comes next

NEXT_USER = Text("an account")
NEXT_START = Text("check all, and start the server, now and at each boot")
NEXT_POSTFIX = Text("Postfix: it takes mail from the world, and refuses unknown recipients at once")
NEXT_FAIL2BAN = Text("Fail2Ban reads the new filter")

# Comments in files

UNIT_HEAD = Text(
    "Written by mektup init. Your own settings belong into a file beside it: systemctl edit mektup\n"
    "What is wrong, if it does not start: journalctl -u mektup"
)
CONFIG_HEAD = Text(
    "The configuration of mektup, written by mektup init, which never changes it again.\n"
    "All keys with their defaults: mektup config --defaults\n"
    "After a change: mektup serve --check --config {file}\n"
    "and then: systemctl reload mektup"
)
CONFIG_DATA = Text("all mail, and the passwords")
CONFIG_HOSTNAME = Text("the name in greetings")
CONFIG_COMPRESSION = Text("the level of zstandard for stored messages; 0 for no compression")
CONFIG_LISTEN = Text("where clients connect: imap with STARTTLS, imaps and pop3s with TLS from the first octet")
CONFIG_LMTP = Text("where Postfix brings new mail; nobody has to log in here, so it is only for this machine")
CONFIG_POSTFIX = Text(
    "what Postfix asks: who may log in to send mail (sasl), and which addresses there are (socketmap)"
)
CONFIG_METRICS = Text("for Prometheus, and for health checks")
CONFIG_TLS = Text(
    "the certificate and its key; without them, mektup makes a self-signed certificate.\nRenewed files are used at once"
)
CONFIG_AUTH = Text("a password without encryption only within this machine; or always, or never")
CONFIG_QUOTA = Text("what an account may hold; without it there is no limit")
HOOK_HEAD = Text(
    "Written by mektup init. certbot runs this after it has renewed a certificate.\n"
    "The directories of certbot are closed to all but root, so mektup reads a copy"
)

# Help

FILE = Text("The configuration file; one that exists stays as it is.")
DIR = Text("The data directory, if the configuration names none yet.")
USER = Text("The user that runs the server; by default the owner of the data directory, or mektup.")
HOSTNAME = Text("The name of the server; by default that of this machine.")
DOMAIN = Text("The domain of the mail addresses, for Postfix; by default the name without its first part.")
CERT = Text("The certificate; by default one for the name, of certbot or of the package ssl-cert.")
KEY = Text("The key of the certificate.")
PRINT = Text("Print the files and the commands, and change nothing.")
REPLACE = Text("Write the unit and other files anew that are there with another text; never the configuration.")
KEY_WITHOUT_CERT = Text("--key needs --cert beside it")
