"""Transcripts that the documentation quotes are equal to the files that the tests play."""

from __future__ import annotations

import re

import pytest

from tests.readme.document import ROOT

QUOTED = re.compile(r"^<!-- (tests/transcripts/\S+) -->\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["architecture.md", "wire-for-newcomers.md"])
def test_quoted_as_it_is(name: str) -> None:
    quotations = QUOTED.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert quotations
    for path, text in quotations:
        assert text == (ROOT / path).read_text(encoding="utf-8").rstrip(), path
