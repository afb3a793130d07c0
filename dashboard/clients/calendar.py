"""The institution's business calendar, for deadlines of clients."""

from __future__ import annotations

from dashboard.clock import calendar

__all__ = ["calendar"]
