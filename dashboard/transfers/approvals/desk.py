"""Above the limit: assigning, returning, undoing; and rules that post by themselves."""

from __future__ import annotations

from dashboard.approvals.kinds import Kind

KINDS: tuple[Kind, ...] = ()
