"""Background work of transfers; what runs by the clock is named in `jobs.schedule`."""

from __future__ import annotations

from dashboard.background.kinds import Kind

KINDS: tuple[Kind, ...] = ()
