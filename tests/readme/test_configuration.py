"""docs/configuration.md agrees with the code."""

from __future__ import annotations

import dataclasses
import re

import pytest

from mektup.server.config import DEFAULT_LISTEN
from mektup.terms.limits import Limits
from tests.readme.document import ROOT

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
DEFAULTS = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("field", dataclasses.fields(Limits), ids=lambda field: field.name)
def test_limits_have_the_defaults_that_are_shown(field: dataclasses.Field[object]) -> None:
    assert DEFAULTS[field.name] == str(field.default).lower()


def test_ports_are_the_ones_that_are_shown() -> None:
    for service, addresses in DEFAULT_LISTEN.items():
        assert DEFAULTS[service.value] == str(list(addresses)).replace("'", '"')
