"""The certificate in use. When it changes, the whole context of TLS is replaced; it is never altered.

A pair on disk may be half written when it is read. So a new context is made and checked before it replaces the old one.
Open connections keep the context that they began with.
"""

from __future__ import annotations

import dataclasses
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.typing import FilteringBoundLogger

from mektup.server import self_signed, texts
from mektup.server.config import ClientCertificates, Config, ConfigError
from mektup.server.layers.server_tls import ServerTls
from mektup.store import files
from mektup.terms.errors import Refused
from mektup.terms.texts import ABOUT, AND_SO, Text

EXPIRY_DAYS = 14
"""How many days before a certificate expires the log and ``/health`` warn."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!PSK:!SRP:!SHA1:!AESCCM"
"""For TLS 1.2: a new key for each session, a certificate, and no weak digest. What TLS 1.3 has is all good."""

LOOK_SECONDS = 30.0
"""How often the files are checked, because a program that renews a certificate may not send SIGHUP."""


def server_context(cert: Path, key: Path | None, client_ca: Path | None = None) -> ssl.SSLContext:
    """A context for this pair, TLS 1.2 or later (RFC 9051 §11.1).

    With *client_ca*, clients may show a certificate, which one of the certificates in that file must have signed.

    Raises ConfigError if the two cannot be used together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # a renegotiation would make a write wait for a read, and costs a hostile client almost nothing
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(CIPHERS)
    try:
        _check_readable(cert, key)
        context.load_cert_chain(cert, key, password=lambda: "")
    except FileNotFoundError as error:
        missing = next((path for path in (cert, key) if path is not None and not path.exists()), cert)
        raise ConfigError(ABOUT.of(place="tls", problem=texts.NOT_THERE.of(file=missing))) from error
    except ssl.SSLError as error:
        raise ConfigError(ABOUT.of(place="tls", problem=_why_refused(cert, key, error))) from error
    except OSError as error:
        raise ConfigError(ABOUT.of(place="tls", problem=files.reason(error, cert))) from error
    if client_ca is not None:
        _ask_for_certificates(context, client_ca)
    return context


def _ask_for_certificates(context: ssl.SSLContext, client_ca: Path) -> None:
    try:
        _check_readable(client_ca, None)
        context.load_verify_locations(client_ca)
    except ssl.SSLError as error:
        problem = texts.UNUSABLE.of(file=client_ca, reason=texts.NO_CERTIFICATES)
        raise ConfigError(ABOUT.of(place="tls.client_ca", problem=problem)) from error
    except OSError as error:
        raise ConfigError(ABOUT.of(place="tls.client_ca", problem=files.reason(error, client_ca))) from error
    context.verify_mode = ssl.CERT_OPTIONAL
    # whoever is in the file is trusted, also if it is no root
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _why_refused(cert: Path, key: Path | None, error: ssl.SSLError) -> Text:
    """Says which file the library refused, and why; its own error seldom names a file."""
    if error.reason == "KEY_VALUES_MISMATCH":
        return texts.UNUSABLE.of(file=key or cert, reason=texts.WRONG_KEY.of(file=key or cert, cert=cert))
    if _has_passphrase(key or cert):
        return texts.PASSPHRASE.of(file=key or cert)
    if wrong := self_signed.what_is_wrong(self_signed.Pair(cert, key or cert)):
        path, why = wrong
        unusable, advice = texts.UNUSABLE_BECAUSE_IT.of(file=path, reason=why), _advice(cert, key, why)
        return unusable if advice is None else AND_SO.of(first=unusable, then=advice)
    names = cert if key is None else texts.TWO_FILES.of(first=cert, second=key)
    reason = (error.reason or "").replace("_", " ").lower() or str(error)
    return texts.UNUSABLE.of(file=names, reason=reason)


def _advice(cert: Path, key: Path | None, why: Text) -> Text | None:
    if key is None:
        return texts.KEY_NAMES_FILE if why is texts.NO_KEY else None
    exchanged = self_signed.what_is_wrong(self_signed.Pair(key, cert)) is None
    return texts.EXCHANGED if exchanged else None


def _check_readable(cert: Path, key: Path | None) -> None:
    """Raises OSError that names the file that cannot be read; the error of the library does not."""
    for path in (cert, key):
        if path is not None:
            with path.open("rb"):
                continue


def _has_passphrase(path: Path) -> bool:
    return b"ENCRYPTED" in path.read_bytes()


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """A pair that was read and can be used."""

    tls: ServerTls
    pem: bytes
    cert: Path | None
    """The file it was read from; None for a pair made only for this process."""
    key: Path | None
    clients: ClientCertificates | None
    signature: tuple[object, ...]


class Certificates:
    """The current certificate of the server."""

    def __init__(self, config: Config, log: FilteringBoundLogger | None = None) -> None:
        """Reads the pair that *config* names, or makes a self-signed pair. Raises ConfigError.

        A self-signed pair that had to be made anew is logged to *log*.
        """
        self._log = log
        self._hostname = config.hostname
        self._data = config.data
        self._loaded = self._load(config)

    def tls(self) -> ServerTls:
        """What a handshake needs that begins now."""
        return self._loaded.tls

    @property
    def pem(self) -> bytes:
        """The certificate chain as PEM, without the key."""
        return self._loaded.pem

    def prepare(self, config: Config) -> Loaded:
        """Loads the pair that *config* names; nothing changes yet. Raises ConfigError."""
        return self._load(config)

    def commit(self, loaded: Loaded) -> None:
        """Uses *loaded* for handshakes that begin from now on."""
        self._loaded = loaded

    def reload(self, config: Config) -> None:
        """Loads and uses the pair that *config* names. Raises ConfigError, and then nothing has changed."""
        self.commit(self.prepare(config))

    def refresh(self) -> bool:
        """Loads the files again if they changed; returns whether they did. Raises ConfigError; the old pair stays."""
        cert, key, clients = self._loaded.cert, self._loaded.key, self._loaded.clients
        if cert is None or self._loaded.signature == (signature := _signature(cert, key, clients)):
            return False
        # an unusable pair is logged once, not at every check
        self._loaded = dataclasses.replace(self._loaded, signature=signature)
        self._loaded = _load_pair(cert, key, clients)
        return True

    @property
    def seconds_left(self) -> float:
        """Seconds until the certificate expires; negative when it has."""
        certificate = x509.load_pem_x509_certificate(self.pem)
        return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds()

    @property
    def days_left(self) -> float:
        """Days until the certificate expires; negative when it has."""
        return self.seconds_left / 86400

    def _load(self, config: Config) -> Loaded:
        if config.cert is not None:
            return _load_pair(config.cert, config.key, config.clients)
        if config.data is not None:
            try:
                pair = self_signed.pair_under(config.data / "tls", config.hostname, self._note_made_anew)
            except OSError as error:
                raise ConfigError(ABOUT.of(place="data", problem=files.reason(error, config.data))) from error
            except Refused as error:
                raise ConfigError(ABOUT.of(place="data", problem=error.text)) from error
            return _load_pair(pair.cert, pair.key, config.clients)
        # the library reads a pair only from files; these are removed before anyone connects
        with tempfile.TemporaryDirectory(prefix="mektup-") as directory:
            pair = self_signed.pair_under(Path(directory), config.hostname)
            return dataclasses.replace(_load_pair(pair.cert, pair.key, config.clients), cert=None, key=None)

    def _note_made_anew(self, path: Path, why: Text) -> None:
        if self._log is None:
            return
        consequence = "a new pair was made; who trusted the old certificate has to trust the new one"
        self._log.warning("certificate_made_anew", file=str(path), reason=str(why), consequence=consequence)


def _load_pair(cert: Path, key: Path | None, clients: ClientCertificates | None) -> Loaded:
    signature = _signature(cert, key, clients)
    client_ca, client_name = (None, None) if clients is None else (clients.ca, clients.name)
    context, chain = server_context(cert, key, client_ca), x509.load_pem_x509_certificates(cert.read_bytes())
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    return Loaded(ServerTls(context, _end_point_hash(chain[0]), client_name), pem, cert, key, clients, signature)


def _end_point_hash(certificate: x509.Certificate) -> bytes | None:
    """The channel binding tls-server-end-point (RFC 5929 §4.1)."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        # such as Ed25519, for which the binding is not defined
        return None
    return certificate.fingerprint(hashes.SHA256() if algorithm.name in ("md5", "sha1") else algorithm)


def _signature(cert: Path, key: Path | None, clients: ClientCertificates | None) -> tuple[object, ...]:
    """A value that changes when a file, or the target of a link, is replaced."""
    seen: list[object] = []
    for path in (cert, key, None if clients is None else clients.ca):
        if path is None:
            continue
        try:
            status = path.stat()
        except OSError:
            seen.append(None)
        else:
            seen.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(seen)
