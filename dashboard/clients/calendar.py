"""The institution's business calendar, for deadlines of clients."""

from __future__ import annotations

from dashboard.approvals.deadline import business_hours as approval_hours
from dashboard.clock import calendar

__all__ = ["approval_hours", "calendar"]
