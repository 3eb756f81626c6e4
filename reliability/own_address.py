"""The loopback address of a run's servers.

A client of a killed server tries its port again. On 127.0.0.1 another server may have got that port by then. All of
127.0.0.0/8 is loopback on Linux, so each process that runs servers has an address of its own.
"""

from __future__ import annotations

import os
from typing import Final

HOST: Final = f"127.{1 + os.getpid() // 62_500 % 250}.{os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
