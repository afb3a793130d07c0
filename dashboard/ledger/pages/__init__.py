"""The ledger's pages."""

from dashboard.ledger.pages import (
    account,
    account_changes,
    accounts,
    adjusting,
    checks,
    days,
    opening,
    owned,
    payments,
    transactions,
)
from dashboard.ledger.pages.blueprint import ledger

__all__ = [
    "account", "account_changes", "accounts", "adjusting", "checks", "days", "ledger", "opening", "owned", "payments",
    "transactions",
]  # fmt: skip
