"""Pages of reconciliation and breaks."""

from dashboard.treasury.matching.pages import acting, beginning, breaking, breaks, picking, point, reporting, ruling
from dashboard.treasury.matching.pages.blueprint import reconciliation

__all__ = ["acting", "beginning", "breaking", "breaks", "picking", "point", "reconciliation", "reporting", "ruling"]
