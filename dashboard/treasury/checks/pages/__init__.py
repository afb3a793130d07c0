"""Pages of the daily checks."""

from dashboard.treasury.checks.pages import alerts, findings, overview
from dashboard.treasury.checks.pages.blueprint import checks

__all__ = ["alerts", "checks", "findings", "overview"]
