"""Changing the rules takes two people as well."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind
from dashboard.transfers.services import rules

KINDS: tuple[Kind, ...] = (
    Kind(rules.CHANGE, "Change the rule:", Permission.RULES_CHANGE, rules.fingerprint, rules.execute,
         done="Changed the rule:", noun="Rule", outcomes=rules.outcomes,
         details=rules.details, closed=rules.closed),
    # more is looked at and nothing more is let through: many at once do no harm (docs/adr/0033)
    Kind(rules.TIGHTEN, "Make stricter:", Permission.RULES_TIGHTEN, rules.fingerprint, rules.execute,
         done="Made stricter:", noun="Stricter rule", outcomes=rules.outcomes,
         details=rules.details, closed=rules.closed, bulk_safe=True),
)  # fmt: skip
