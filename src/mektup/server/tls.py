"""What TLS uses now: a context that is replaced whole when the certificate changes, never altered.

A pair on disk may be half written when it is looked at. So a new context is made and checked first, and
only then takes the old one's place; connections that are open keep what they began with.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.typing import FilteringBoundLogger

from mektup.server import self_signed
from mektup.server.config import Config, ConfigError
from mektup.store import files
from mektup.terms.errors import Refused

LOOK_SECONDS = 30.0
"""How often the files are looked at: who renews a certificate does not always tell its users."""


def server_context(cert: Path, key: Path | None) -> ssl.SSLContext:
    """A context for that pair, TLS 1.2 or later. Raises ConfigError where the two cannot be used together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # a second handshake would make a write wait for a read, and costs its asker next to nothing
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(cert, key)
    except FileNotFoundError as error:
        missing = next((path for path in (cert, key) if path is not None and not path.exists()), cert)
        raise ConfigError(f"tls: {missing} is not there") from error
    except ssl.SSLError as error:
        names = f"{cert}" if key is None else f"{cert} and {key}"
        reason = (error.reason or "").replace("_", " ").lower() or str(error)
        raise ConfigError(f"tls: {names} cannot be used: {reason}") from error
    except OSError as error:
        raise ConfigError(f"tls: {error.filename or cert}: {error.strerror}") from error
    return context


class Certificates:
    """The server's certificate, as it is now."""

    def __init__(self, config: Config, log: FilteringBoundLogger | None = None) -> None:
        """Reads what *config* names, or makes a self-signed pair. Raises ConfigError.

        *log* is told of a pair of our own that had to be made anew.
        """
        self._log = log
        self._hostname = config.hostname
        self._data = config.data
        self._signature: tuple[object, ...] = ()
        self.pem = b""
        """The chain, as PEM, without the key."""
        self._load(config)

    def context(self) -> ssl.SSLContext:
        """What a handshake that begins now uses."""
        return self._context

    def reload(self, config: Config) -> None:
        """Takes up what *config* names. Raises ConfigError, and then all stays as it was."""
        self._load(config)

    def refresh(self) -> bool:
        """Takes up the files where they changed, and says whether they had. Raises ConfigError; all stays as it was."""
        if self._cert is None or self._signature == (signature := _signature(self._cert, self._key)):
            return False
        # a pair that cannot be used is complained of once, not at every look
        self._signature = signature
        self._use(self._cert, self._key)
        return True

    @property
    def seconds_left(self) -> float:
        """Until the certificate expires; negative when it has."""
        certificate = x509.load_pem_x509_certificate(self.pem)
        return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds()

    @property
    def days_left(self) -> float:
        """The same in days."""
        return self.seconds_left / 86400

    def _load(self, config: Config) -> None:
        if config.cert is not None:
            self._use(config.cert, config.key)
        elif config.data is not None:
            try:
                pair = self_signed.pair_under(config.data / "tls", config.hostname, self._note_made_anew)
            except OSError as error:
                raise ConfigError(f"data: {files.reason(error, config.data)}") from error
            except Refused as error:
                raise ConfigError(f"data: {error}") from error
            self._use(pair.cert, pair.key)
        else:
            self._use_fresh(config.hostname)

    def _use(self, cert: Path, key: Path | None) -> None:
        signature = _signature(cert, key)
        context = server_context(cert, key)
        self.pem = _certificates_of(cert)
        self._cert: Path | None = cert
        self._key = key
        self._context, self._signature = context, signature

    def _note_made_anew(self, path: Path, why: str) -> None:
        if self._log is None:
            return
        consequence = "a new pair was made; who trusted the old certificate has to trust the new one"
        self._log.warning("certificate_made_anew", file=str(path), reason=why, consequence=consequence)

    def _use_fresh(self, hostname: str) -> None:
        # the library reads a pair from files only; these are gone before anyone connects
        with tempfile.TemporaryDirectory(prefix="mektup-") as directory:
            pair = self_signed.pair_under(Path(directory), hostname)
            self._use(pair.cert, pair.key)
        self._cert = self._key = None


def _signature(cert: Path, key: Path | None) -> tuple[object, ...]:
    """Changes when a file, or what a link to it points at, is replaced."""
    seen: list[object] = []
    for path in (cert, key):
        if path is None:
            continue
        try:
            status = path.stat()
        except OSError:
            seen.append(None)
        else:
            seen.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(seen)


def _certificates_of(path: Path) -> bytes:
    chain = x509.load_pem_x509_certificates(path.read_bytes())
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
