"""``python -m tests.readme``: updates the session in the READMEs, if the server now answers otherwise."""

from __future__ import annotations

from tests.readme.document import READMES, blocks
from tests.readme.sessions import demo, played, steady


def main() -> None:
    """Records the telnet session again."""
    [session] = blocks(READMES[0], "telnet")
    with demo() as server:
        now = played(session, server)
    for path in READMES:
        [shown] = blocks(path, "telnet")
        if shown != session or steady(shown) != steady(now):
            path.write_text(path.read_text(encoding="utf-8").replace(shown, now), encoding="utf-8")
            print(f"recorded the session in {path.name}")


if __name__ == "__main__":
    main()
