"""How mail that comes in is delivered: the ``[lmtp]`` table of the configuration file has these names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """What an operator decides about final delivery."""

    trace: bool = True
    """Whether a message begins with Return-Path and Received, written from its envelope (RFC 5321 §4.4)."""
    detail_folders: bool = True
    """Whether ``linda+Lists@...`` goes to the folder Lists (RFC 5233 §1)."""


DEFAULT_DELIVERY_RULES = DeliveryRules()
