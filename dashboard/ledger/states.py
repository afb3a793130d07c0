"""States of a payment as a badge: the colour role and the word; what a payment belongs to, in words."""

from __future__ import annotations

from typing import NamedTuple

from dashboard.ledger.vocabulary import ParentType, PaymentState


class Badge(NamedTuple):
    role: str
    word: str


BADGES = {
    PaymentState.DRAFT: Badge("neutral", "Draft"),
    PaymentState.PENDING: Badge("wait", "Pending"),
    PaymentState.POSTED: Badge("ok", "Posted"),
    PaymentState.CANCELED: Badge("neutral", "Canceled"),
    PaymentState.ERROR: Badge("stop", "Failed"),
}

PARENT_LABELS = {
    ParentType.TRANSFER: "Transfer",
    ParentType.PAYMENT_REQUEST: "Payment request",
    ParentType.ADJUSTING_PAYMENT: "Adjusting payment",
}


def state_badge(state: str) -> Badge:
    return BADGES[PaymentState(state)]
