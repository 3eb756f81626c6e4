"""All limits are documented, and all capabilities and commands have transcripts."""

from __future__ import annotations

import dataclasses
import imaplib
import re
import ssl
from collections import Counter
from pathlib import Path

import pytest

from mektup import Server
from mektup.imap.capabilities import CAPABILITIES
from mektup.imap.table import TABLE
from mektup.server.tuning.switches import Tuning
from mektup.terms.delivery import DeliveryRules
from mektup.terms.limits import Limits
from tests.architecture import capability_table
from tests.support.transcript import Send, Transcript, read

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests" / "transcripts"
TRANSCRIPTS = [read(path) for path in sorted(HERE.glob("*/*.txt"))]
CITES = re.compile(r"RFC \d+ §[\w.]+( [\w. -]+)?: \S")

transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: str(each.path.relative_to(HERE)))


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_is_documented(field: str) -> None:
    assert f"`{field}`" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(DeliveryRules)])
def test_every_rule_of_delivery_is_documented(field: str) -> None:
    assert f"`{field}`" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Tuning)])
def test_every_switch_of_tuning_is_documented(field: str) -> None:
    assert f"| `{field}` |" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [capability.name for capability in CAPABILITIES])
def test_every_capability_has_a_transcript(name: str) -> None:
    assert any(name in each.words("needs") for each in TRANSCRIPTS)


def test_the_page_of_capabilities_is_up_to_date() -> None:
    assert capability_table.PAGE.read_text(encoding="utf-8") == capability_table.page(), "run: make capabilities"


def test_the_server_announces_only_what_the_page_lists() -> None:
    listed = {name.partition("=...")[0] for name in re.findall(r"^\| `(\S+)`", capability_table.page(), re.MULTILINE)}
    with Server(users={"linda": "Pa$$123"}).in_thread() as server:
        client = imaplib.IMAP4(*server.address("imap"))
        announced = set(client.capabilities)
        client.starttls(client_context())
        announced |= set(client.capabilities)
        client.login("linda", "Pa$$123")
        announced |= set(client.capability()[1][0].decode().split())
        client.logout()
    assert "IDLE" in announced
    # imaplib shows what it read in upper case
    known = {name.upper() for name in listed}
    assert not {name for name in map(str.upper, announced) if not {name, name.partition("=")[0]} & known}


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_no_transcript_needs_what_is_never_announced() -> None:
    known = {capability.name for capability in CAPABILITIES} | {"APPENDLIMIT"}
    assert {word for each in TRANSCRIPTS for word in each.words("needs")} <= known


@pytest.mark.parametrize("name", sorted({row.name for row in TABLE.values()} | {"EXAMINE"}))
def test_every_command_has_a_transcript(name: str) -> None:
    sent = re.compile(rb"[^ ]+ (uid )?" + name.encode() + rb"\b", re.IGNORECASE)
    assert any(sent.match(step.pieces[0].text) for each in TRANSCRIPTS for step in each.steps if isinstance(step, Send))


@transcript
def test_a_transcript_cites_the_section_that_it_shows(transcript: Transcript) -> None:
    assert CITES.match(transcript.title)


@transcript
def test_a_transcript_is_named_for_what_it_shows(transcript: Transcript) -> None:
    assert transcript.path is not None
    assert re.fullmatch(r"\d\d-[a-z0-9-]+", transcript.path.parent.name)
    assert re.fullmatch(r"[A-Za-z0-9.-]+", transcript.path.stem)


def test_no_two_transcripts_show_the_same() -> None:
    counted = Counter(each.title for each in TRANSCRIPTS)
    assert not [title for title, count in counted.items() if count > 1]
