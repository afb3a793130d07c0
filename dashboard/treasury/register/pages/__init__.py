"""Pages of the register."""

from dashboard.treasury.register.pages import accounts, changing, pools
from dashboard.treasury.register.pages.blueprint import treasury_register

__all__ = ["accounts", "changing", "pools", "treasury_register"]
