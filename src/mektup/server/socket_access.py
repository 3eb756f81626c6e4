"""Who may connect to the Unix sockets that the server makes."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

USUAL_MODE = 0o660
"""The group of the file may connect, too: for LMTP, the group of the mail server."""

_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True)
class SocketAccess:
    """The group and the mode of the files of Unix sockets."""

    group: str | None = None
    """None: that of the process."""
    mode: int = USUAL_MODE

    def give(self, path: Path) -> None:
        """Gives the socket at *path* its group and its mode. Raises OSError, with the path."""
        if self.group is not None:
            try:
                shutil.chown(path, group=self.group)
            except LookupError as error:
                raise OSError(0, str(error), str(path)) from error
        os.chmod(path, self.mode)


USUAL_ACCESS = SocketAccess()


def mode_of(text: str) -> int:
    """Reads an octal mode such as ``0660``. Raises ValueError; also where the owner itself may not connect."""
    if not _MODE.fullmatch(text) or not int(text, 8) & 0o600 == 0o600:
        raise ValueError(text)
    return int(text, 8)
