"""Sizes as an operator writes and reads them: ``5 GiB``, ``512M``. Each unit is 1,024 times the one before."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"([0-9]{1,18}) ?(?:([KMGT])(?:i?B)?|B)?", re.IGNORECASE | re.ASCII)
_UNITS: Final = "KMGT"


def octets_of(text: str) -> int:
    """The octets of a size such as ``5 GiB``, ``5G`` or ``5368709120``. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    number, unit = found.groups()
    power = 0 if unit is None else _UNITS.index(unit.upper()) + 1
    return int(number) << 10 * power


def size_shown(octets: int) -> str:
    """*octets* in the largest unit that is not above them, with one decimal unless that is 0."""
    if octets < 1024:
        return f"{octets} B"
    size, power = float(octets), 0
    while power < len(_UNITS) and (size >= 1023.95 or not power):
        size, power = size / 1024, power + 1
    unit = _UNITS[power - 1]
    return f"{size:.1f}".removesuffix(".0") + f" {unit}iB"
