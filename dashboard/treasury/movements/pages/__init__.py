"""Pages of movements between own accounts. The register, covers and days stand under their blueprint."""

from dashboard.treasury.cover import pages as cover
from dashboard.treasury.days import pages as days
from dashboard.treasury.movements.pages import acting, asking, listing
from dashboard.treasury.register import pages as register
from dashboard.treasury.register.pages.blueprint import treasury_register

__all__ = ["acting", "asking", "cover", "days", "listing", "register", "treasury_register"]
