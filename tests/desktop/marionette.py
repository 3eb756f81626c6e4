"""A client of Marionette, the protocol by which programs of Mozilla are driven from outside."""

from __future__ import annotations

import base64
import json
import socket
import time
from pathlib import Path
from typing import Any

SECONDS = 60.0
"""A program starts, and a script ends, within this time."""


class Marionette:
    """A session with a running program. Scripts run with all rights of the program."""

    def __init__(self, port: int) -> None:
        """Waits until the program listens. Raises ConnectionError if it does not."""
        self._socket = _connected(port)
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._message()
        self.command("WebDriver:NewSession", acceptInsecureCerts=True)
        self.command("Marionette:SetContext", value="chrome")
        self.command("WebDriver:SetTimeouts", script=int(SECONDS * 1000))

    def command(self, name: str, **parameters: object) -> Any:
        """The result of a command. Raises AssertionError with the program's error."""
        self._number += 1
        text = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(text), text))
        _, number, error, result = self._message()
        assert number == self._number
        assert error is None, f"{error['error']}: {error['message']}\n{error['stacktrace']}"
        return result

    def run(self, script: str, *arguments: object) -> Any:
        """What *script*, the body of an asynchronous function of *arguments* ``a``, ``b`` and so on, returns."""
        names = ", ".join("abcdef"[: len(arguments)])
        body = f"""
            const [{names + ", " if names else ""}done] = arguments;
            (async () => {{ {script} }})().then(
                value => done({{value: value === undefined ? null : value}}),
                error => done({{error: String(error) + "\\n" + error?.stack}}));
        """
        result = self.command("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments), newSandbox=False)
        found = result["value"]
        assert "error" not in found, found["error"]
        return found["value"]

    def until(self, script: str, *arguments: object) -> Any:
        """What *script* returns as soon as that is true."""
        ends = time.monotonic() + SECONDS
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < ends, f"this did not become true: {script}"
            time.sleep(0.1)
        return found

    def picture(self, path: Path) -> None:
        """Saves a picture of the program's window as PNG, for people."""
        path.write_bytes(base64.b64decode(self.command("WebDriver:TakeScreenshot", full=True)["value"]))

    def close(self) -> None:
        """Ends the session."""
        self._file.close()
        self._socket.close()

    def _message(self) -> Any:
        size = b""
        while (octet := self._file.read(1)) != b":":
            assert octet, "the program ended the session"
            size += octet
        return json.loads(self._file.read(int(size)))


def _connected(port: int) -> socket.socket:
    ends = time.monotonic() + SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=2 * SECONDS)
        except ConnectionError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
