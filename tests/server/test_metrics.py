"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import platform
import poplib
import re
import shutil
import smtplib
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mektup import Server
from mektup.server import status_page
from mektup.server.app import ThreadedServer
from mektup.server.metric_table import METRICS, Over
from mektup.store.sqlite import SQLITE_VERSION

from .test_workers import until

ALL = {service: ["127.0.0.1:0"] for service in ("imap", "pop3", "lmtp", "metrics")}


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    listen = {"imap": ["127.0.0.1:0"], "metrics": ["127.0.0.1:0"]}
    with Server(users={"linda": "Pa$$123"}, listen=listen).in_thread() as made:
        yield made


def get(server: ThreadedServer, path: str, method: str = "GET") -> str:
    with urlopen(Request(f"http://127.0.0.1:{server.port('metrics')}{path}", method=method), timeout=5) as answer:
        return str(answer.read().decode())


def samples(server: ThreadedServer) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("protocol", "")): sample.value
        for family in text_string_to_metric_families(get(server, "/metrics"))
        for sample in family.samples
    }


def test_events_are_counted(server: ThreadedServer) -> None:
    client = imaplib.IMAP4(*server.address("imap"))
    client.login("linda", "Pa$$123")
    client.select()
    client.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
    stranger = imaplib.IMAP4(*server.address("imap"))
    with pytest.raises(imaplib.IMAP4.error):
        stranger.login("linda", "wrong")
    seen = samples(server)
    assert seen["mektup_connections_total", "imap"] == 2
    assert seen["mektup_logins_total", "imap"] == 1
    assert seen["mektup_messages_total", "imap"] == 1
    assert seen["mektup_message_bytes_total", "imap"] == 17
    assert seen["mektup_bugs_total", "imap"] == 0
    assert seen["mektup_uncertain_changes_total", "imap"] == 0
    assert seen["mektup_workers", ""] == seen["mektup_workers_up", ""] == 1
    assert seen["mektup_certificate_expiry_seconds", ""] > 3000 * 86400
    assert seen["mektup_command_duration_seconds_count", "imap"] >= 1
    assert seen["process_cpu_seconds_total", ""] > 0
    assert seen["process_resident_memory_bytes", ""] > 0
    assert time.time() - 3600 * 24 < seen["process_start_time_seconds", ""] <= time.time() + 1
    client.logout()
    stranger.logout()


def labelled(server: ThreadedServer, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric that are not 0, by the values of their labels in the order of their names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(get(server, "/metrics"))
        for sample in family.samples
        if sample.name == name and sample.value
    }


def test_the_page_has_the_metrics_of_the_table_and_no_others(server: ThreadedServer) -> None:
    page = get(server, "/metrics")
    assert [line.split()[2:] for line in page.splitlines() if line.startswith("# TYPE")] == [
        [name, metric.kind.value] for name, metric in METRICS.items()
    ]
    for name, metric in METRICS.items():
        assert f"# HELP {name} {metric.text}\n" in page
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = re.sub(r"_(bucket|count|sum)$", "", sample.name) if family.type == "histogram" else sample.name
            each = ("worker",) if METRICS[name].over is Over.EACH else ()
            assert set(sample.labels) - {"le"} == {*METRICS[name].labels, *each}


def test_promtool_has_no_complaint(server: ThreadedServer) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    with imaplib.IMAP4(*server.address("imap")) as client:
        client.login("linda", "Pa$$123")
    page = get(server, "/metrics")
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=20)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_sessions_are_counted_by_state() -> None:
    with Server(users={"linda": "Pa$$123"}, listen=ALL).in_thread() as server:
        clients = [imaplib.IMAP4(*server.address("imap")) for _ in range(4)]
        for client in clients[1:]:
            client.login("linda", "Pa$$123")
        for client in clients[2:]:
            client.select()
        clients[3].send(b"i IDLE\r\n")
        assert clients[3].readline().startswith(b"+ ")
        pop = poplib.POP3(*server.address("pop3"))
        lmtp = smtplib.LMTP(*server.address("lmtp"))
        expected = {
            ("imap", "not authenticated"): 1,
            ("imap", "authenticated"): 1,
            ("imap", "selected"): 1,
            ("imap", "idle"): 1,
            ("pop3", "not authenticated"): 1,
            ("lmtp", "no login"): 1,
        }
        assert labelled(server, "mektup_sessions") == expected
        received = labelled(server, "mektup_received_bytes_total")
        assert received["imap",] > 40  # of connections that are open
        clients[3].send(b"DONE\r\n")
        assert clients[3].readline().startswith(b"i OK")
        for each in clients:
            each.logout()
        pop.quit()
        lmtp.quit()
        until(lambda: labelled(server, "mektup_sessions") == {})
        sent_since = len("DONE\r\n") + 4 * len("ABCD1 LOGOUT\r\n")
        assert labelled(server, "mektup_received_bytes_total")["imap",] == received["imap",] + sent_since


def test_what_is_refused_is_counted_by_reason(server: ThreadedServer) -> None:
    client = imaplib.IMAP4(*server.address("imap"))
    for name, password in (("linda", "wrong"), ("nobody", "wrong")):
        with pytest.raises(imaplib.IMAP4.error):
            client.login(name, password)
    client.login("linda", "Pa$$123")
    assert client.select("Nowhere")[0] == "NO"
    assert client.create("INBOX")[0] == "NO"
    with pytest.raises(imaplib.IMAP4.error):
        client.xatom("NONSENSE")
    assert labelled(server, "mektup_refused_logins_total") == {("imap", "wrong"): 2}
    assert labelled(server, "mektup_refusals_total") == {
        ("AUTHENTICATIONFAILED", "imap"): 2,
        ("NONEXISTENT", "imap"): 1,
        ("ALREADYEXISTS", "imap"): 1,
    }
    assert labelled(server, "mektup_client_mistakes_total") == {("imap",): 1}
    client.logout()


def test_a_login_without_encryption_is_counted() -> None:
    with Server(users={"linda": "Pa$$123"}, listen=ALL, plaintext="never").in_thread() as server:
        with imaplib.IMAP4(*server.address("imap")) as client:
            with pytest.raises(imaplib.IMAP4.error):
                client.login("linda", "Pa$$123")
            with pytest.raises(imaplib.IMAP4.error):
                client.authenticate("PLAIN", lambda challenge: b"\0linda\0Pa$$123")
        assert labelled(server, "mektup_refused_logins_total") == {("imap", "not encrypted"): 2}


def test_deliveries_are_counted_with_their_octets() -> None:
    with Server(users={"linda": "Pa$$123"}, listen=ALL).in_thread() as server:
        server.deliver("linda", b"Subject: x\r\n\r\n")
        with smtplib.LMTP(*server.address("lmtp")) as lmtp:
            lmtp.sendmail("a@b", ["linda"], b"Subject: x\r\n\r\nx\r\n")
        assert labelled(server, "mektup_messages_total") == {("embedded",): 1, ("lmtp",): 1}
        octets = labelled(server, "mektup_message_bytes_total")
        assert octets["embedded",] == 14
        assert octets["lmtp",] > 17


def test_pipelined_commands_are_counted_one_by_one(server: ThreadedServer) -> None:
    client = imaplib.IMAP4(*server.address("imap"))
    client.login("linda", "Pa$$123")
    server.deliver("linda", b"Subject: x\r\n\r\n")
    client.select()
    client.send(b"".join(b"f%d FETCH 1 (FLAGS)\r\n" % number for number in range(10)))
    answers = 0
    while answers < 10:
        answers += client.readline().startswith(b"f")
    assert labelled(server, "mektup_commands_total")["FETCH", "imap"] == 10
    client.logout()


def test_what_is_remembered_is_counted(server: ThreadedServer) -> None:
    def remembered(name: str) -> dict[str, float]:
        return {
            sample.labels["kind"]: sample.value
            for family in text_string_to_metric_families(get(server, "/metrics"))
            for sample in family.samples
            if sample.name == f"mektup_remembered_{name}"
        }

    before = remembered("hits_total")
    assert before.keys() == {"answers", "uids", "flags", "sort_keys", "blocks"}
    client = imaplib.IMAP4(*server.address("imap"))
    client.login("linda", "Pa$$123")
    client.select()
    for _ in range(2):
        client.search(None, "SEEN")
        client.noop()
    assert remembered("hits_total")["flags"] == before["flags"] + 1
    assert remembered("hits_total")["answers"] > before["answers"]
    assert remembered("misses_total")["flags"] >= 1
    assert remembered("bytes")["flags"] > 0
    assert remembered("bytes")["sort_keys"] == 0
    client.logout()


def test_health(server: ThreadedServer) -> None:
    assert get(server, "/health") == "1 of 1 workers up\n"


def test_versions_are_named(server: ThreadedServer) -> None:
    (line,) = [line for line in get(server, "/metrics").splitlines() if line.startswith("mektup_build_info")]
    assert f'version="{version("mektup")}"' in line
    assert f'python="{platform.python_version()}"' in line
    assert f'sqlite="{SQLITE_VERSION}"' in line
    assert line.endswith(" 1.0")


def test_units_are_base_units_and_nothing_is_shown_that_cannot_be_counted(server: ThreadedServer) -> None:
    page = get(server, "/metrics")
    assert 'logins_total{protocol="lmtp"' not in page
    assert 'logins_total{protocol="imap"' in page
    for name in re.findall(r"^# TYPE (\S+)", page, re.MULTILINE):
        assert not re.search(r"_(days|minutes|hours|milliseconds|ms|octets|kilobytes)(_|$)", name), name
    for name in re.findall(r"^# TYPE (\S+) counter", page, re.MULTILINE):
        assert name.endswith("_total")


def test_durations_are_counted_by_command_in_every_protocol() -> None:
    with Server(users={"linda": "Pa$$123"}, listen=ALL).in_thread() as server:
        with imaplib.IMAP4(*server.address("imap")) as client:
            client.login("linda", "Pa$$123")
            with pytest.raises(imaplib.IMAP4.error):
                client.status("INBOX", "(NONSENSE)")
            client.select("Nowhere")
        pop = poplib.POP3(*server.address("pop3"))
        pop.quit()
        with smtplib.LMTP(*server.address("lmtp")) as lmtp:
            lmtp.sendmail("a@b", ["linda"], b"Subject: x\r\n\r\nx\r\n")
        buckets: dict[tuple[str, str], list[float]] = {}
        for family in text_string_to_metric_families(get(server, "/metrics")):
            for sample in family.samples:
                if sample.name == "mektup_command_duration_seconds_bucket":
                    key = sample.labels["protocol"], sample.labels["command"]
                    buckets.setdefault(key, []).append(sample.value)
    assert {("imap", "LOGIN"), ("imap", "SELECT"), ("pop3", "QUIT"), ("lmtp", "DATA")} <= set(buckets)
    assert ("imap", "STATUS") not in buckets
    for counts in buckets.values():
        assert counts == sorted(counts)
        assert counts[-1] == 1


Answer = tuple[int, dict[bytes, bytes], bytes]


async def ask(server: Server, request: bytes) -> Answer:
    """The status, the header and the body of the answer."""
    reader, writer = await asyncio.open_connection(*server.address("metrics"))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines)
    return int(first.split(b" ")[1]), fields, body


@pytest.mark.parametrize("path", [b"/metrics", b"/health", b"/elsewhere", b"/"])
async def test_head_is_get_without_the_body(path: bytes) -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        status, fields, body = await ask(server, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert len(body) == int(fields[b"Content-Length"]) > 0
        assert status == (200 if path in (b"/metrics", b"/health") else 404)
        head = await ask(server, b"HEAD %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert (head[0], head[2]) == (status, b"")
        assert set(head[1]) == set(fields)
        assert path == b"/metrics" or head[1] == fields


@pytest.mark.parametrize(
    "target", [b"http://mail.example.org:9143/health", b"HTTP://[::1]/health?verbose", b"/health?x"]
)
async def test_a_target_may_be_absolute_and_have_a_query(target: bytes) -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        status, _, body = await ask(server, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        assert (status, body) == (200, b"1 of 1 workers up\n")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"get", b"BREW"])
@pytest.mark.parametrize("path", [b"/metrics", b"/health", b"/elsewhere"])
async def test_other_methods_are_refused(method: bytes, path: bytes) -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        status, fields, _ = await ask(server, b"%b %b HTTP/1.1\r\nHost: x\r\n\r\n" % (method, path))
        assert status == 405
        assert fields[b"Allow"] == b"GET, HEAD"


NONSENSE = [
    (b"\r\n\r\n", 400),
    (b"\x16\x03\x01\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET /metrics\r\n\r\n", 400),
    (b"GET /metrics HTTP/2.0\r\n\r\n", 400),
    (b"GET / metrics HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
    (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
]


@pytest.mark.parametrize(("nonsense", "expected"), NONSENSE)
async def test_invalid_requests_get_an_error(nonsense: bytes, expected: int) -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        assert (await ask(server, nonsense))[0] == expected
        assert (await ask(server, b"GET /health HTTP/1.1\r\n\r\n"))[0] == 200


async def test_an_endless_request_is_ended() -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        reader, writer = await asyncio.open_connection(*server.address("metrics"))

        async def talk() -> None:
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await talk()
        writer.close()
        assert (await ask(server, b"GET /health HTTP/1.1\r\n\r\n"))[0] == 200
        reader.feed_eof()


async def test_silent_clients_are_disconnected_and_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "CONNECTIONS_AT_ONCE", 3)
    monkeypatch.setattr(status_page, "REQUEST_SECONDS", 0.2)
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        there = [await asyncio.open_connection(*server.address("metrics")) for _ in range(10)]
        for reader, writer in there:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        assert (await ask(server, b"GET /health HTTP/1.1\r\n\r\n"))[0] == 200


async def test_a_silent_client_does_not_delay_the_end() -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        _reader, writer = await asyncio.open_connection(*server.address("metrics"))
        await asyncio.sleep(0)
    writer.close()
