"""The records of the DNS for a domain whose mail comes to a server, as lines of a zone file (RFC 1035 §5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mektup.cli.dns import texts
from mektup.cli.dns.offers import Kind, Offer
from mektup.cli.language import told
from mektup.terms.texts import Text

NAME_WIDTH = 36
KIND_WIDTH = 6


def records(domain: str, hostname: str, offered: Iterable[Offer]) -> Iterator[str]:
    """The lines for *domain*, whose mail comes to *hostname*; both in ASCII, without a dot at the end."""
    target = f"{hostname}."
    yield from _remark(texts.RECORD_ADDRESS.of(hostname=hostname))
    yield ""
    yield from _remark(texts.RECORD_MX)
    yield _record(domain, "MX", f"10 {target}")
    yield ""
    yield from _remark(texts.RECORD_SPF)
    yield _record(domain, "TXT", '"v=spf1 mx -all"')
    yield _record(f"_dmarc.{domain}", "TXT", '"v=DMARC1; p=none"')
    yield from _remark(texts.RECORD_DKIM.of(domain=domain))
    yield ""
    yield from _remark(texts.RECORD_SRV)
    for offer in offered:
        yield _record(f"_{offer.kind.value}._tcp.{domain}", "SRV", _service(offer, target))
    yield ""
    yield from _remark(texts.RECORD_AUTOCONFIG.of(domain=domain))
    yield _record(f"autoconfig.{domain}", "CNAME", target)


def _service(offer: Offer, target: str) -> str:
    if offer.port is None:
        # RFC 6186 §3.4: the service is not offered
        return "0 0 0 ."
    # RFC 6186 §3.3, RFC 8314 §4.1: programs should prefer IMAP, and TLS from the first octet
    priority = 0 if offer.kind.is_in_tls and offer.kind is not Kind.POP3S else 10
    return f"{priority} 1 {offer.port} {target}"


def _record(name: str, kind: str, value: str) -> str:
    return f"{name + '.':{NAME_WIDTH}} IN {kind:{KIND_WIDTH}} {value}"


def _remark(text: Text) -> Iterator[str]:
    for line in told(text).splitlines():
        yield f"; {line}"
