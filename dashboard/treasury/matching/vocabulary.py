"""Words of matching and breaks, as tables, pages and reports spell them."""

from __future__ import annotations

from enum import StrEnum

#: kind of background work
MATCH = "treasury.match"
#: kinds of approval
RULES = "treasury.matchRules"
ACCEPT = "treasury.acceptBreak"
CARRIED_IN = "treasury.carriedIn"
#: queue of breaks
QUEUE = "breaks"


class Side(StrEnum):
    LEDGER = "ledger"
    BANK = "bank"


class Pass(StrEnum):
    """How two sides were found to belong together."""

    REFERENCE = "reference"
    TEXT = "text"
    BATCH = "batch"
    AMOUNT = "amount"
    SUM = "sum"
    #: by a person
    HAND = "hand"
    #: by a person, with a payment that books the rest
    BOOKED = "booked"


PASS_LABELS = {
    Pass.REFERENCE: "Reference",
    Pass.TEXT: "Reference in the text",
    Pass.BATCH: "Batch reference",
    Pass.AMOUNT: "Amount, date and party",
    Pass.SUM: "Sum",
    Pass.HAND: "By hand",
    Pass.BOOKED: "By hand, rest booked",
}
#: the passes that a run makes, in the order in which they are made unless the rules say otherwise
PASSES = (Pass.REFERENCE, Pass.TEXT, Pass.BATCH, Pass.AMOUNT, Pass.SUM)

#: what a pass compares, as an accountant would say it
PASS_SAYS = {
    Pass.REFERENCE: "the same provider or end-to-end reference, the same amount and currency",
    Pass.TEXT: "our reference stands in the bank's text, the same amount and currency",
    Pass.BATCH: "one file or batch reference, and the amounts of it add up",
    Pass.AMOUNT: "the same amount, value dates close together, the same party",
    Pass.SUM: "several amounts of one party or batch add up to one on the other side, dates close together",
}


class MatchState(StrEnum):
    PROPOSED = "proposed"
    LIVE = "live"
    UNDONE = "undone"
    #: a person said no
    REJECTED = "rejected"
    #: its rows went elsewhere before anybody decided
    WITHDRAWN = "withdrawn"


class RunState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"


class BreakKind(StrEnum):
    MISSING_IN_LEDGER = "missingInLedger"
    MISSING_IN_STATEMENT = "missingInStatement"
    AMOUNT_DIFFERS = "amountDiffers"
    DUPLICATE_AT_BANK = "duplicateAtBank"
    DUPLICATE_IN_LEDGER = "duplicateInLedger"
    WRONG_DATE = "wrongDate"


BREAK_LABELS = {
    BreakKind.MISSING_IN_LEDGER: "Missing in ledger",
    BreakKind.MISSING_IN_STATEMENT: "Missing in statement",
    BreakKind.AMOUNT_DIFFERS: "Amount differs",
    BreakKind.DUPLICATE_AT_BANK: "Duplicate at bank",
    BreakKind.DUPLICATE_IN_LEDGER: "Duplicate in ledger",
    BreakKind.WRONG_DATE: "Wrong date",
}
#: what a kind means, in one sentence
BREAK_SAYS = {
    BreakKind.MISSING_IN_LEDGER: "The bank has booked it, and nothing in the ledger belongs to it.",
    BreakKind.MISSING_IN_STATEMENT: "The ledger has booked it, and the bank has not told of it in time.",
    BreakKind.AMOUNT_DIFFERS: "Both sides carry the same reference with different amounts.",
    BreakKind.DUPLICATE_AT_BANK: "One ledger row, two bank lines with the same reference. The second is the break.",
    BreakKind.DUPLICATE_IN_LEDGER: "One bank line, two ledger rows with the same reference. The second is the break.",
    BreakKind.WRONG_DATE: "Reference and amount agree, the dates lie further apart than the rules allow.",
}


class Cause(StrEnum):
    """What is likely behind a break. A guess for people, never a reason to book anything."""

    BANK_FEE = "bankFee"
    INTEREST = "interest"
    FEE_KEPT = "feeKept"
    SENT_TWICE = "sentTwice"
    TOLD_TWICE = "toldTwice"
    BOOKED_TWICE = "bookedTwice"
    NOT_SENT = "notSent"
    NOT_ARRIVED = "notArrived"
    NOT_BOOKED = "notBooked"
    NOT_OURS = "notOurs"
    LATE_AT_BANK = "lateAtBank"
    UNKNOWN = "unknown"


CAUSE_LABELS = {
    Cause.BANK_FEE: "Bank fee",
    Cause.INTEREST: "Interest",
    Cause.FEE_KEPT: "Fee kept on the way",
    Cause.SENT_TWICE: "Sent twice",
    Cause.TOLD_TWICE: "Credited twice",
    Cause.BOOKED_TWICE: "Booked twice",
    Cause.NOT_SENT: "Not sent by the bank",
    Cause.NOT_ARRIVED: "Has not arrived",
    Cause.NOT_BOOKED: "Credit not booked here",
    Cause.NOT_OURS: "Debit that we did not order",
    Cause.LATE_AT_BANK: "Booked late",
    Cause.UNKNOWN: "Unknown",
}


class BreakState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    MATCHED = "matched"
    BOOKED = "booked"
    ACCEPTED = "accepted"
    #: what differed is no longer there: a later run matched it, or an import was taken back
    GONE = "gone"


STATE_LABELS = {BreakState.OPEN: "Open", BreakState.ACKNOWLEDGED: "Acknowledged", BreakState.RESOLVED: "Resolved"}
RESOLUTION_LABELS = {
    Resolution.MATCHED: "Matched",
    Resolution.BOOKED: "Booked",
    Resolution.ACCEPTED: "Accepted",
    Resolution.GONE: "No longer there",
}


class Event(StrEnum):
    """What happened to a break."""

    FOUND = "found"
    CHANGED = "changed"
    ACKNOWLEDGED = "acknowledged"
    TAKEN = "taken"
    RELEASED = "released"
    NOTE = "note"
    ASKED = "asked"
    DROPPED = "dropped"
    MATCHED = "matched"
    BOOKED = "booked"
    ACCEPTED = "accepted"
    GONE = "gone"
    REOPENED = "reopened"


EVENT_LABELS = {
    Event.FOUND: "Found",
    Event.CHANGED: "Seen again, differently",
    Event.ACKNOWLEDGED: "Acknowledged",
    Event.TAKEN: "Took it",
    Event.RELEASED: "Gave it back",
    Event.NOTE: "Note",
    Event.ASKED: "Asked a second person",
    Event.DROPPED: "Request closed without approval",
    Event.MATCHED: "Matched",
    Event.BOOKED: "Rest booked and matched",
    Event.ACCEPTED: "Accepted",
    Event.GONE: "No longer there",
    Event.REOPENED: "Reopened",
}
