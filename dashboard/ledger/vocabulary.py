"""Words of the ledger, as the API spells them (reference/004, DESIGN of the API)."""

from __future__ import annotations

from enum import StrEnum


class AccountType(StrEnum):
    """Client accounts are guarded: never below their limit. All others are the institution's own and are not."""

    CLIENT = "client"
    SETTLEMENT = "settlement"
    SUSPENSE = "suspense"
    FEES = "fees"
    INCOME = "income"
    EXPENSE = "expense"
    FX_POSITION = "fxPosition"
    RECEIVABLE = "receivable"
    IN_TRANSIT = "inTransit"
    OWN_FUNDS = "ownFunds"
    OPENING = "opening"


#: types that may be opened through GL-02; the rest belong to the chart that is made from data
OPENED_BY_API = (
    AccountType.CLIENT, AccountType.SETTLEMENT, AccountType.SUSPENSE, AccountType.FEES, AccountType.FX_POSITION,
    AccountType.OWN_FUNDS,
)  # fmt: skip

ACCOUNT_TYPE_LABELS = {
    AccountType.CLIENT: "Client",
    AccountType.SETTLEMENT: "Settlement",
    AccountType.SUSPENSE: "Suspense",
    AccountType.FEES: "Fees",
    AccountType.INCOME: "Income",
    AccountType.EXPENSE: "Expense",
    AccountType.FX_POSITION: "FX position",
    AccountType.RECEIVABLE: "Receivable",
    AccountType.IN_TRANSIT: "In transit",
    AccountType.OWN_FUNDS: "Own funds",
    AccountType.OPENING: "Opening balances",
}


class AccountStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class ParentType(StrEnum):
    TRANSFER = "transfer"
    PAYMENT_REQUEST = "paymentRequest"
    ADJUSTING_PAYMENT = "adjustingPayment"


class PaymentState(StrEnum):
    DRAFT = "draft"
    PENDING = "pending"
    POSTED = "posted"
    CANCELED = "canceled"
    ERROR = "error"


#: state to the states that may follow it
FOLLOWING: dict[PaymentState, frozenset[PaymentState]] = {
    PaymentState.DRAFT: frozenset(
        {PaymentState.PENDING, PaymentState.POSTED, PaymentState.CANCELED, PaymentState.ERROR}
    ),
    PaymentState.PENDING: frozenset({PaymentState.POSTED, PaymentState.CANCELED, PaymentState.ERROR}),
    PaymentState.POSTED: frozenset(),
    PaymentState.CANCELED: frozenset(),
    PaymentState.ERROR: frozenset(),
}

#: states in which a payment no longer occupies its parent's place
GONE = (PaymentState.CANCELED, PaymentState.ERROR)
LIVE = (PaymentState.DRAFT, PaymentState.PENDING)

MAIN_PURPOSE = "main"

#: balance rows of one account that is not guarded: payments against it take different rows and need not wait
SLOTS = 16


class CheckScope(StrEnum):
    """Which accounts a balance check looks at: those that money moved on since the last look, all, or given ones."""

    TOUCHED = "touched"
    FULL = "full"
    CHOSEN = "chosen"
