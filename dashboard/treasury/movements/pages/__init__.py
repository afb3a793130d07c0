"""Pages of movements between own accounts; those of the register and of days stand under the same blueprint."""

from dashboard.treasury.days import pages as days
from dashboard.treasury.movements.pages import acting, asking, listing
from dashboard.treasury.register import pages as register
from dashboard.treasury.register.pages.blueprint import treasury_register

__all__ = ["acting", "asking", "days", "listing", "register", "treasury_register"]
