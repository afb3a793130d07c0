"""Words of transfers, as the API spells them."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    OUTGOING = "outgoing"
    INCOMING = "incoming"
    FOREIGN_EXCHANGE = "foreignExchange"


class TransferType(StrEnum):
    """By which rails the money goes (TF-25)."""

    INTERNAL = "internal"
    SEPA = "sepa"
    SEPA_INSTANT = "sepaInstant"
    FASTER_PAYMENTS = "fasterPayments"
    SWIFT = "swift"


class Status(StrEnum):
    AWAITING_CONFIRMATION = "awaitingConfirmation"
    CONFIRMED = "confirmed"
    MANUAL_REVIEW = "manualReview"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    UNRECOGNIZED = "unrecognized"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    RETURNED = "returned"
    REVERSED = "reversed"


#: kind to the states that may follow each state; the trigger `transfer_guard` says the same
FOLLOWING: dict[Kind, dict[Status, frozenset[Status]]] = {
    Kind.OUTGOING: {
        Status.AWAITING_CONFIRMATION: frozenset({Status.CONFIRMED, Status.CANCELED}),
        Status.CONFIRMED: frozenset(
            {Status.MANUAL_REVIEW, Status.SUBMITTED, Status.COMPLETED, Status.REJECTED, Status.CANCELED}
        ),
        Status.MANUAL_REVIEW: frozenset({Status.CONFIRMED, Status.COMPLETED, Status.REJECTED, Status.CANCELED}),
        # back to a person, or canceled: only while the provider certainly has nothing of it
        Status.SUBMITTED: frozenset(
            {Status.COMPLETED, Status.REJECTED, Status.UNKNOWN, Status.CANCELED, Status.MANUAL_REVIEW}
        ),
        Status.UNKNOWN: frozenset({Status.SUBMITTED, Status.COMPLETED, Status.REJECTED, Status.CANCELED}),
        Status.COMPLETED: frozenset({Status.RETURNED}),
    },
    Kind.INCOMING: {
        Status.UNRECOGNIZED: frozenset({Status.COMPLETED, Status.RETURNED, Status.REVERSED}),
        Status.COMPLETED: frozenset({Status.UNRECOGNIZED, Status.REVERSED}),
        Status.RETURNED: frozenset({Status.UNRECOGNIZED}),
    },
    Kind.FOREIGN_EXCHANGE: {},
}

#: where each kind begins
BEGINNINGS: dict[Kind, frozenset[Status]] = {
    Kind.OUTGOING: frozenset({Status.AWAITING_CONFIRMATION}),
    Kind.INCOMING: frozenset({Status.COMPLETED, Status.UNRECOGNIZED}),
    Kind.FOREIGN_EXCHANGE: frozenset({Status.COMPLETED}),
}

#: nothing more is expected to happen by itself
FINAL = frozenset({Status.COMPLETED, Status.REJECTED, Status.CANCELED, Status.RETURNED, Status.REVERSED})

STATUS_LABELS = {
    Status.AWAITING_CONFIRMATION: "Awaiting confirmation",
    Status.CONFIRMED: "Confirmed",
    Status.MANUAL_REVIEW: "In review",
    Status.SUBMITTED: "Submitted",
    Status.UNKNOWN: "Unknown",
    Status.UNRECOGNIZED: "Unrecognized",
    Status.COMPLETED: "Completed",
    Status.REJECTED: "Rejected",
    Status.CANCELED: "Canceled",
    Status.RETURNED: "Returned",
    Status.REVERSED: "Reversed",
}

#: colour role of each status (static/css/roles.css)
STATUS_ROLES = {
    Status.AWAITING_CONFIRMATION: "neutral",
    Status.CONFIRMED: "info",
    Status.MANUAL_REVIEW: "wait",
    Status.SUBMITTED: "info",
    Status.UNKNOWN: "unknown",
    Status.UNRECOGNIZED: "wait",
    Status.COMPLETED: "ok",
    Status.REJECTED: "stop",
    Status.CANCELED: "neutral",
    Status.RETURNED: "stop",
    Status.REVERSED: "stop",
}

KIND_LABELS = {Kind.OUTGOING: "Outgoing", Kind.INCOMING: "Incoming", Kind.FOREIGN_EXCHANGE: "Exchange"}
TYPE_LABELS = {
    TransferType.INTERNAL: "Internal",
    TransferType.SEPA: "SEPA",
    TransferType.SEPA_INSTANT: "SEPA Instant",
    TransferType.FASTER_PAYMENTS: "Faster Payments",
    TransferType.SWIFT: "SWIFT",
}


class Check(StrEnum):
    """What an outgoing transfer is asked before money is held, and again before it leaves."""

    CLIENT_ACTIVE = "clientActive"
    ACCOUNT_NOT_FROZEN = "accountNotFrozen"
    FUNDS = "funds"
    LIMIT_PER_TRANSFER = "limitPerTransfer"
    LIMIT_PER_DAY = "limitPerDay"
    LIMIT_PER_MONTH = "limitPerMonth"
    RECIPIENT_COUNTRY = "recipientCountry"
    DUPLICATE = "duplicate"
    PAYER_DATA = "payerData"


class CheckOutcome(StrEnum):
    PASSED = "passed"
    REVIEW = "review"
    REFUSED = "refused"


class SubmissionState(StrEnum):
    """Of a line of the outbox. `stopped`: taken back before it left."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    STOPPED = "stopped"


class RequestState(StrEnum):
    """Of a provider's notification. `linked`: it tells a credit that another one told before."""

    RECEIVED = "received"
    PROCESSED = "processed"
    LINKED = "linked"
    FAILED = "failed"
    WAITING = "waiting"


class ReceiptState(StrEnum):
    """Of a position of unrecognized money. `waiting`: for a second person."""

    OPEN = "open"
    ASKED = "asked"
    KEPT = "kept"
    WAITING = "waiting"
    ASSIGNED = "assigned"
    RETURNED = "returned"
    REVERSED = "reversed"


#: the money still needs a decision
UNDECIDED = (ReceiptState.OPEN, ReceiptState.ASKED, ReceiptState.KEPT, ReceiptState.WAITING)


class Cause(StrEnum):
    """Why a receipt did not reach a client's account."""

    NOT_RECOGNIZED = "notRecognized"
    CREDIT_FROZEN = "creditFrozen"
    ACCOUNT_CLOSED = "accountClosed"
    CURRENCY = "otherCurrency"
    UNDONE = "undone"


class DispositionKind(StrEnum):
    ASSIGN = "assign"
    RETURN = "return"


class DispositionState(StrEnum):
    """`dropped`: the second person said no, or nobody did in time. `failed`: the bank refused the return."""

    WAITING = "waiting"
    POSTED = "posted"
    UNDONE = "undone"
    DROPPED = "dropped"
    FAILED = "failed"


class ScreeningResult(StrEnum):
    CLEAR = "clear"
    FALSE_POSITIVE = "falsePositive"
    HIT = "hit"
