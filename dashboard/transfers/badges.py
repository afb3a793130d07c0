"""States of transfers as pages show them, and how a transfer is named."""

from __future__ import annotations

from typing import NamedTuple

from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.vocabulary import (
    KIND_LABELS,
    STATUS_LABELS,
    STATUS_ROLES,
    TYPE_LABELS,
    Check,
    Kind,
    Status,
    TransferType,
)

CHECK_LABELS = {
    Check.CLIENT_ACTIVE: "Client is active",
    Check.ACCOUNT_NOT_FROZEN: "Account is not frozen",
    Check.FUNDS: "Funds",
    Check.LIMIT_PER_TRANSFER: "Limit per transfer",
    Check.LIMIT_PER_DAY: "Limit per day",
    Check.LIMIT_PER_MONTH: "Limit per month",
    Check.RECIPIENT_COUNTRY: "Recipient’s country",
    Check.DUPLICATE: "Possible duplicate",
    Check.PAYER_DATA: "Payer’s data",
}


#: as people on the desk say it
TYPES_IN_ROW = {TransferType.SEPA_INSTANT: "Instant", TransferType.FASTER_PAYMENTS: "FPS"}


class Badge(NamedTuple):
    """A state as a page shows it."""

    role: str
    word: str


def status_badge(status: str) -> Badge:
    known = Status(status)
    return Badge(STATUS_ROLES[known], STATUS_LABELS[known])


def money_of(transfer: Transfer) -> Money:
    return Money(transfer.amount_minor, transfer.currency)


def kind_words(transfer: Transfer) -> str:
    """`Outgoing · SEPA`"""
    kind = KIND_LABELS[Kind(transfer.kind)]
    return f"{kind} · {TYPE_LABELS[TransferType(transfer.type)]}" if transfer.type else kind


def kind_in_row(transfer: Transfer) -> str:
    """`Outgoing · FPS`: as a row of a list has room for; its title says it in full."""
    kind = KIND_LABELS[Kind(transfer.kind)]
    if transfer.kind != Kind.OUTGOING or not transfer.type:
        return kind
    return f"{kind} · {TYPES_IN_ROW.get(TransferType(transfer.type), TYPE_LABELS[TransferType(transfer.type)])}"


def title_of(transfer: Transfer) -> str:
    """`Outgoing transfer 1,250.00 EUR`, `Exchange 100.00 EUR to 108.11 USD`"""
    if transfer.kind == Kind.FOREIGN_EXCHANGE and transfer.counter_minor is not None and transfer.counter_currency:
        return f"Exchange {money_of(transfer)} to {Money(transfer.counter_minor, transfer.counter_currency)}"
    return f"{KIND_LABELS[Kind(transfer.kind)]} transfer {money_of(transfer)}"


def check_label(code: str) -> str:
    return CHECK_LABELS[Check(code)]
