"""The ledger's pages."""

from dashboard.ledger.pages import accounts, adjusting, checks, days, opening, payments, transactions
from dashboard.ledger.pages.blueprint import ledger

__all__ = ["accounts", "adjusting", "checks", "days", "ledger", "opening", "payments", "transactions"]
