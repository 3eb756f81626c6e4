"""What a login and the handling of passwords say to people."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# A login

WRONG_NAME_OR_PASSWORD = Text("Wrong name or password")
NO_SUCH_MECHANISM = Text("No such mechanism, try one of {mechanisms}")
ENCRYPT_FIRST = Text("Encrypt the connection first, so that nobody can read the password")
TOKEN_REFUSED = Text("The token is not valid here; ask your mail program to sign in again")
NO_KEYS_YET = Text("Tokens cannot be checked now; try again later")
NO_CERTIFIED_ACCOUNT = Text("There is no account of the name in your certificate")
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
OAUTHBEARER_EXPECTS = Text("OAUTHBEARER expects n,a=name, ^A auth=Bearer token ^A ^A, in base64")
XOAUTH2_EXPECTS = Text("XOAUTH2 expects user=name ^A auth=Bearer token ^A ^A, in base64")
EXTERNAL_EXPECTS = Text("EXTERNAL expects an empty response, or a name in base64")
SCRAM_EXPECTS_FIRST = Text("SCRAM expects n,,n=name,r=nonce, in base64")
SCRAM_EXPECTS_FINAL = Text("SCRAM expects c=binding,r=nonce,p=proof, in base64")
SCRAM_EXPECTS_BASE64 = Text("SCRAM expects base64 in c= and p=")
SCRAM_EXPECTS_NOTHING = Text("SCRAM expects an empty response to the server's signature")
SCRAM_NAME = Text("In a SCRAM name, write =2C for a comma and =3D for an equals sign")
NO_CHANNEL_BINDING = Text("Only a mechanism whose name ends in -PLUS binds the login to the connection")
BIND_BY = Text("The channel binding here is {type}")
BINDING_WAS_HIDDEN = Text("This server can bind the login to the connection, and something hid that from your client")
OTHER_CHANNEL = Text(
    "Your client has seen another certificate than this server's, or you gave a wrong name or password"
)

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
