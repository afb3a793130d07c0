"""Transfers of a client, for its page."""

from __future__ import annotations
