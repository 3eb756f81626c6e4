"""What a login and the handling of passwords say to people."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# A login

WRONG_NAME_OR_PASSWORD = Text("Wrong name or password")
NO_SUCH_MECHANISM = Text("No such mechanism, try one of {mechanisms}")
ENCRYPT_FIRST = Text("Encrypt the connection first, so that nobody can read the password")
NO_OTHER_IDENTITY = Text("Leave the authorization identity empty, or give your own name")
TOO_MANY_CONNECTIONS = Text(
    "The password is right, but this account has {connections} connections open, which is the limit; close one"
)
TOO_MANY_LOGINS = Text("Too many logins from your address are waiting; try again later")
TOO_MANY_FAILURES = counted(
    "Too many failed logins from your address; try again in {count} second",
    "Too many failed logins from your address; try again in {count} seconds",
)

# The end of a session

ACCOUNT_REMOVED = Text("This account was removed")
PASSWORD_CHANGED = Text("The password was changed; log in again")

# What a mechanism of SASL expects

PLAIN_EXPECTS = Text("PLAIN expects [identity] NUL name NUL password, in base64")
LOGIN_EXPECTS = Text("LOGIN expects a name, in base64")
SCRAM_EXPECTS_FIRST = Text("SCRAM expects n,,n=name,r=nonce, in base64")
SCRAM_EXPECTS_FINAL = Text("SCRAM expects c=binding,r=nonce,p=proof, in base64")
SCRAM_EXPECTS_BASE64 = Text("SCRAM expects base64 in c= and p=")
SCRAM_EXPECTS_NOTHING = Text("SCRAM expects an empty response to the server's signature")
SCRAM_NAME = Text("In a SCRAM name, write =2C for a comma and =3D for an equals sign")
NO_CHANNEL_BINDING = Text("Channel binding is not offered here")

# Passwords and hashes that are stored

PASSWORD_RULES = Text("A password must be UTF-8, not empty, of at most 4096 octets, and without control characters")
NO_SECRET_AFTER = Text("There is no secret after {scheme}")
NO_SCHEME = Text("A secret starts with its scheme, as in {{PLAIN}}secret")
UNKNOWN_SCHEME = Text("The scheme {scheme} is not known here")
NO_HASH = Text("Not a hash of {scheme}, or one that would take too long to check")
NO_CRYPT_HASH = Text("This is not a crypt(3) hash that mektup can check; those begin with {beginnings}")
UNKNOWN_ENCODING = Text("The encoding .{encoding} is unknown; known are .HEX and .B64")
NOT_ENCODED = Text("Not {encoding}")
SECRET_NOT_UTF8 = Text("A secret must be UTF-8")
