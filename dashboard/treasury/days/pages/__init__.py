"""Pages of treasury days."""

from dashboard.treasury.days.pages import acting, listing
from dashboard.treasury.register.pages.blueprint import treasury_register

__all__ = ["acting", "listing", "treasury_register"]
