"""The ledger's JSON operations: GL-01 to GL-24, GL-30 to GL-34, G2-01 to G2-07."""

from dashboard.ledger.api import (
    accounts,
    balances,
    batches,
    checks,
    own_accounts,
    own_transactions,
    payments,
    transactions,
)
from dashboard.ledger.api.blueprint import ledger_operations

__all__ = [
    "accounts", "balances", "batches", "checks", "ledger_operations", "own_accounts", "own_transactions", "payments",
    "transactions",
]  # fmt: skip
