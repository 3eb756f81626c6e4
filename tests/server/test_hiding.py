"""Capabilities that are hidden at an address, at a service, and in an embedded server."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
from dataclasses import replace
from pathlib import Path

import pytest

from mektup import Server
from mektup.auth.login_rules import LoginRules
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config, ConfigError, load
from mektup.server.hidden import Hidden
from tests.support.tokens import rules


def written(folder: Path, text: str) -> Config:
    file = folder / "mektup.toml"
    file.write_text(text)
    return load(file)


def test_an_embedded_server_with_fewer_capabilities() -> None:
    with Server(users={"linda": "Pa$$123"}, hide=["idle", "Move", "AUTH=PLAIN"]).in_thread() as server:
        with imaplib.IMAP4(*server.address("imap")) as client:
            assert not {"IDLE", "MOVE", "IMAP4REV2", "AUTH=PLAIN"} & set(client.capabilities)
            assert {"UIDPLUS", "AUTH=LOGIN"} <= set(client.capabilities)
            with pytest.raises(imaplib.IMAP4.error, match="No such mechanism"):
                client.authenticate("PLAIN", lambda said: b"\0linda\0Pa$$123")
            client.login("linda", "Pa$$123")
            client.select()
            with pytest.raises(imaplib.IMAP4.error, match="Unknown command"):
                client.uid("MOVE", "1", "Trash")
        pop = poplib.POP3(*server.address("pop3"))
        assert "PLAIN" not in pop.capa()["SASL"]
        assert pop._shortcmd("USER linda").startswith(b"+OK")
        with pytest.raises(poplib.error_proto, match="No such mechanism"):
            pop._shortcmd("AUTH PLAIN")
        pop.quit()


def test_at_a_service_and_at_an_address(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        '[listen]\nimap = ["127.0.0.1:1", "127.0.0.1:2"]\n'
        '[hide]\nimap = ["idle"]\n"127.0.0.1:2" = ["MOVE", "AUTH=SCRAM-SHA-256-PLUS"]\npop3s = ["AUTH=LOGIN"]\n',
    )
    hidden = Hidden(found.hide)
    assert hidden.at(Service.IMAP, Endpoint("127.0.0.1", 1)) == {"IDLE"}
    assert hidden.at(Service.IMAP, Endpoint("127.0.0.1", 2)) == {"IDLE", "MOVE", "AUTH=SCRAM-SHA-256-PLUS"}
    assert hidden.at(Service.POP3S, None) == {"AUTH=LOGIN"}
    assert hidden.at(Service.IMAPS, None) == frozenset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('imap = ["IMAP4rev1"]', "hide.imap: IMAP4rev1: cannot be hidden"),
        ('imap = ["NOSUCH"]', "hide.imap: NOSUCH: .*IDLE"),
        ('pop3 = ["IDLE"]', "hide.pop3: IDLE: .*AUTH=PLAIN"),
        ('lmtp = ["IDLE"]', "hide.lmtp"),
        ('"127.0.0.1:7" = ["IDLE"]', r"hide\.127\.0\.0\.1:7: expected one of imap, imaps, pop3, pop3s"),
        ('imap = "IDLE"', "hide"),
        ('imap = [""]', "hide.imap"),
    ],
)
def test_wrong_configurations(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Hidden(written(tmp_path, f"[hide]\n{text}\n").hide)


@pytest.mark.parametrize("hide", ["IDLE", [7], ["NOSUCH"]])
def test_wrong_arguments(hide: object) -> None:
    with pytest.raises(ConfigError, match="hide"):
        with Server(hide=hide).in_thread():  # type: ignore[arg-type]
            pass


def test_a_client_may_say_that_it_could_bind_where_binding_is_hidden() -> None:
    """RFC 5802 §6: the flag y is wrong only where the mechanism was announced."""
    with Server(users={"linda": "Pa$$123"}, hide=["AUTH=SCRAM-SHA-256-PLUS"]).in_thread() as server:
        with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.ssl_context()) as client:
            said: list[bytes] = []
            with pytest.raises(imaplib.IMAP4.error, match="BAD"):
                client.authenticate("SCRAM-SHA-256", lambda challenge: (said.append(challenge), b"y,,n=linda,r=x")[1])
            assert said[1].startswith(b"r=x")


async def test_a_reload_changes_what_is_hidden_and_whose_tokens_are_accepted() -> None:
    async def greeting() -> set[str]:
        reader, writer = await asyncio.open_connection(*server.address("imap"))
        line = await reader.readline()
        writer.close()
        return set(line.decode().split())

    async with Server(users={"linda": "Pa$$123"}) as server:
        single = server._running
        before = single.node.config
        assert "IDLE" in await greeting()
        await single.reload(replace(before, hide={Service.IMAP: ("IDLE",)}, login=LoginRules(scram_sha_1=True)))
        said = await greeting()
        assert "IDLE" not in said
        assert "AUTH=SCRAM-SHA-1" in said
        with pytest.raises(ConfigError):
            await single.reload(replace(before, hide={Service.IMAP: ("NOSUCH",)}))
        assert "IDLE" not in await greeting()
        pytest.importorskip("joserfc", reason="the extra oauth is not installed")
        await single.reload(replace(before, login=LoginRules(oauth=rules())))
        said = await greeting()
        assert {"IDLE", "AUTH=OAUTHBEARER"} <= said
        assert "AUTH=SCRAM-SHA-1" not in said
        await single.reload(before)
        assert "AUTH=OAUTHBEARER" not in await greeting()
