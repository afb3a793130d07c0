"""The daily checks, in the order in which they run and are shown."""

from __future__ import annotations

from dashboard.treasury.checks import (
    approvals_age,
    audit_seals,
    guarded_limits,
    holds,
    settlement,
    snapshots,
    statements_in,
    stored_balances,
    suspense_age,
    unconfirmed_transfers,
    unprocessed_events,
    zero_sum,
)

CHECKS = (
    zero_sum.CHECK, stored_balances.CHECK, holds.CHECK, guarded_limits.CHECK, snapshots.CHECK, statements_in.CHECK,
    settlement.CHECK, suspense_age.CHECK, unconfirmed_transfers.CHECK, approvals_age.CHECK, unprocessed_events.CHECK,
    audit_seals.CHECK,
)  # fmt: skip

TITLES = {check.key: check.title for check in CHECKS}
