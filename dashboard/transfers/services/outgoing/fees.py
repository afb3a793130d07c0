"""What a transfer costs."""

from __future__ import annotations

from dashboard.database import session
from dashboard.transfers.models import TransferFee
from dashboard.transfers.vocabulary import TransferType


def fee_of(type: TransferType, amount_minor: int, currency: str) -> int:
    """Minor units: the fixed part plus basis points of the amount, rounded down, at most the cap. No row: free."""
    rule = session().get(TransferFee, (type.value, currency))
    return 0 if rule is None else fee_by(rule, amount_minor)


def fee_by(rule: TransferFee, amount_minor: int) -> int:
    """What the rule makes of an amount."""
    fee = rule.fixed_minor + amount_minor * rule.basis_points // 10_000
    return fee if rule.most_minor is None else min(fee, rule.most_minor)
