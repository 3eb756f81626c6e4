"""Text for a terminal or a log: what clients send must not move its cursor, or change what other lines seem to say."""

from __future__ import annotations


def escaped(line: str) -> str:
    """*line* with every control, format and separator character escaped, also those of bidirectional text."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def escaped_octets(octets: bytes) -> str:
    """*octets* as one printable line; what is not UTF-8 is escaped, too."""
    return escaped(octets.decode("utf-8", "backslashreplace"))
