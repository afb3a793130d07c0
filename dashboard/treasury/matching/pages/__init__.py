"""Pages of reconciliation and breaks."""

from dashboard.treasury.matching.pages import acting, breaking, breaks, picking, point, reporting, ruling
from dashboard.treasury.matching.pages.blueprint import reconciliation

__all__ = ["acting", "breaking", "breaks", "picking", "point", "reconciliation", "reporting", "ruling"]
