"""Tests that need a PostgreSQL: `make test-cluster` runs them."""

from __future__ import annotations

import os

import pytest

if "MEKTUP_CLUSTER" not in os.environ:
    pytest.exit("tests/cluster starts servers: run make test-cluster, or set MEKTUP_CLUSTER=1", returncode=2)
