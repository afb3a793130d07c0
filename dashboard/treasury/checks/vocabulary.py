"""Names that checks share."""

from __future__ import annotations

#: kind of the background work
RUN = "treasury.checks"
#: type of a run in the audit trail
OBJECT = "daily_check_run"
