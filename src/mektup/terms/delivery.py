"""Settings for the delivery of incoming mail: the ``[lmtp]`` table of the configuration file has these names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """What an operator can set for final delivery."""

    trace: bool = True
    """Whether Return-Path and Received are added before a message, from its envelope (RFC 5321 §4.4)."""
    detail_folders: bool = True
    """Whether ``linda+Lists@...`` goes to the folder Lists (RFC 5233 §1)."""


DEFAULT_DELIVERY_RULES = DeliveryRules()
