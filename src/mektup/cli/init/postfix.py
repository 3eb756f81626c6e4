"""The settings of Postfix for a mektup beside it, as commands of ``postconf``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mektup.cli.init.found import Machine, said_by
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config

RECIPIENTS = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unverified_recipient"

SUBMISSION = (("submission", "smtpd_tls_security_level=encrypt"), ("submissions", "smtpd_tls_wrappermode=yes"))
"""The services for mail programs (RFC 6409, RFC 8314), and how each one encrypts."""

AFTER_LOGIN = (
    "smtpd_sasl_auth_enable=yes",
    "smtpd_client_restrictions=permit_sasl_authenticated,reject",
    "smtpd_sender_restrictions=reject_sender_login_mismatch",
    "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
)


def commands(config: Config, machine: Machine, myhostname: str = "") -> Iterator[str]:
    """The commands, one in each line, for mail to the domain of *machine*. Postfix hands it on by LMTP.

    *myhostname* is the name that Postfix has; it stays where the server has no whole name.
    """
    domain = machine.domain
    if "." in config.hostname:
        myhostname = config.hostname
    sasl, socketmap = (_first(config, service) for service in (Service.SASL, Service.SOCKETMAP))
    if any(each is not None and each.path is not None for each in (sasl, socketmap)):
        yield f"adduser postfix {shlex.quote(machine.user)}"
    yield _set("myhostname", myhostname)
    # Postfix must not take mail for the domain itself
    yield _set("mydestination", "localhost" if myhostname == domain else "$myhostname, localhost")
    if socketmap is None:
        yield _set("virtual_mailbox_domains", domain)
    else:
        yield _set("virtual_mailbox_domains", _map(socketmap, "domains"))
        yield _set("virtual_mailbox_maps", _map(socketmap, "recipients"))
    if lmtp := _first(config, Service.LMTP):
        yield _set("virtual_transport", f"lmtp:{place(lmtp)}")
    if socketmap is None:
        # Postfix asks mektup before it takes a message, so it never has to send one back later
        yield _set("smtpd_recipient_restrictions", RECIPIENTS)
        yield _set("unverified_recipient_reject_code", "550")
        yield _set("address_verify_negative_refresh_time", "10m")
    yield _set("message_size_limit", str(config.limits.message_bytes))
    if sasl is not None:
        yield from _submission(sasl, socketmap, machine)
    yield "systemctl restart postfix"


def _submission(sasl: Endpoint, socketmap: Endpoint | None, machine: Machine) -> Iterator[str]:
    yield _set("smtpd_sasl_type", "dovecot")
    yield _set("smtpd_sasl_path", place(sasl).removeprefix("unix:"))
    if socketmap is not None:
        yield _set("smtpd_sender_login_maps", _map(socketmap, "senders"))
    if machine.pair is not None:
        yield _set("smtpd_tls_cert_file", str(machine.pair.cert))
        yield _set("smtpd_tls_key_file", str(machine.pair.key))
    yield _set("smtpd_tls_security_level", "may")
    for name, encrypts in SUBMISSION:
        # not in the chroot of Debian, in which the sockets of mektup are not
        yield _service("-M", f"{name}/inet={name} inet n - n - - smtpd")
        yield _service("-P", f"{name}/inet/syslog_name=postfix/{name}")
        yield _service("-P", f"{name}/inet/{encrypts}")
        for setting in AFTER_LOGIN if socketmap is not None else (*AFTER_LOGIN[:2], AFTER_LOGIN[3]):
            yield _service("-P", f"{name}/inet/{setting}")


def own_name() -> str:
    """The host name of this machine's Postfix; empty where there is none."""
    return said_by("postconf", "-h", "myhostname")


def place(endpoint: Endpoint) -> str:
    """An address as Postfix writes it."""
    if endpoint.path is not None:
        return f"unix:{endpoint.path}"
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host or "127.0.0.1"
    return f"inet:{host}:{endpoint.port}"


def _map(endpoint: Endpoint, name: str) -> str:
    # proxymap is in no chroot, and its connection serves all programs of Postfix
    return f"proxy:socketmap:{place(endpoint)}:{name}"


def _first(config: Config, service: Service) -> Endpoint | None:
    return next(iter(config.listen.get(service, ())), None)


def _set(name: str, value: str) -> str:
    return f"postconf -e {shlex.quote(f'{name} = {value}')}"


def _service(option: str, value: str) -> str:
    return f"postconf {option} {shlex.quote(value)}"
