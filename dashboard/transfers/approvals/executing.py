"""Executing a transfer by hand takes two people."""

from __future__ import annotations

from dashboard.approvals.kinds import Kind

KINDS: tuple[Kind, ...] = ()
