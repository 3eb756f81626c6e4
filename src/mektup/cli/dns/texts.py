"""What ``mektup dns`` says."""

from __future__ import annotations

from mektup.terms.texts import Text

RECORD_ADDRESS = Text(
    """{hostname} needs an A record, and an AAAA record if it has IPv6.
The PTR record of each address must name {hostname}, or others refuse its mail."""
)
RECORD_MX = Text("Where mail for the domain goes.")
RECORD_SPF = Text("Only the server of the domain sends its mail (SPF); what others do with the rest (DMARC).")
RECORD_DKIM = Text(
    "For DKIM, sign in the SMTP server, by opendkim or rspamd; that prints a record SELECTOR._domainkey.{domain}"
)
RECORD_SRV = Text("Where mail programs find the services; a dot is for one that is not offered.")
RECORD_AUTOCONFIG = Text(
    """Thunderbird and others look at https://autoconfig.{domain}/mail/config-v1.1.xml.
mektup dns {domain} --autoconfig prints this file for a web server."""
)

DOMAIN = Text("The domain of the addresses, such as example.org.")
HOSTNAME = Text("The name of the server; that of the configuration or of this machine by default.")
CONFIG = Text("The server's TOML file, which has its name and ports; without it, the usual ports are meant.")
AUTOCONFIG = Text("Print the settings for mail programs as Mozilla's XML, in place of the records.")
MOBILECONFIG = Text("Print a profile with the settings for an account on Apple's devices, in place of the records.")
ONE_FORM = Text("give either --autoconfig or --mobileconfig")
NOT_IN_DOMAIN = Text("{address} is no address in {domain}")
NO_IMAP = Text("the configuration offers no IMAP to other machines")
