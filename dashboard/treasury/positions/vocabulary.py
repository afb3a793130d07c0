"""Words of positions: checks and their results, figures that open their rows, thresholds, actions."""

from __future__ import annotations

from enum import StrEnum


class Result(StrEnum):
    """How a check ended. Without a statement there is no data, and so no result."""

    PASSED = "passed"
    FAILED = "failed"
    NO_DATA = "noData"


class Check(StrEnum):
    """Resource against requirement; money in a designated account by the day after; own records against the bank's
    (CASS 15.8)."""

    INTERNAL = "internal"
    SEGREGATION = "segregation"
    EXTERNAL = "external"


CHECK_LABELS = {
    Check.INTERNAL: "Internal: resource against requirement",
    Check.SEGREGATION: "D+1: money in a designated account",
    Check.EXTERNAL: "External: own records against the bank's",
}


class Figure(StrEnum):
    """Figures of a position that open the rows behind them."""

    CLIENTS = "clients"
    NEGATIVE = "negative"
    FROZEN = "frozen"
    UNRECOGNIZED = "unrecognized"
    RECEIVED = "received"
    SENT = "sent"
    REQUIREMENT = "requirement"
    RESOURCE = "resource"
    AT_BANK = "atBank"
    OTHER = "other"
    EXCESS = "excess"
    LEDGER = "ledger"
    DIFFERENCE = "difference"
    UNEXPLAINED = "unexplained"
    LYING = "lying"
    LATE = "late"
    UNMATCHED = "unmatched"
    EXPLAINED = "explained"
    REST = "rest"
    FEES = "fees"
    INCOME = "income"
    OWN = "own"
    FX = "fx"
    RECEIVABLE = "receivable"


FIGURE_LABELS = {
    Figure.CLIENTS: "Client balances",
    Figure.NEGATIVE: "Negative balances, not netted",
    Figure.FROZEN: "Frozen, part of client balances",
    Figure.UNRECOGNIZED: "Unrecognized",
    Figure.RECEIVED: "Received, not booked",
    Figure.SENT: "Sent, not left the bank",
    Figure.REQUIREMENT: "Requirement",
    Figure.RESOURCE: "At bank and other",
    Figure.AT_BANK: "At bank",
    Figure.OTHER: "Other safeguarded",
    Figure.EXCESS: "Excess or shortfall",
    Figure.LEDGER: "Ledger view of the bank accounts",
    Figure.DIFFERENCE: "Bank − ledger",
    Figure.UNEXPLAINED: "Unexplained",
    Figure.LYING: "In accounts that are not designated",
    Figure.LATE: "D+1 not segregated",
    Figure.UNMATCHED: "Unmatched lines of the banks",
    Figure.EXPLAINED: "Excess that is explained",
    Figure.REST: "Excess that is not explained",
    Figure.FEES: "Fees to sweep",
    Figure.INCOME: "Interest and other income, less expenses",
    Figure.OWN: "Own funds among clients’ money",
    Figure.FX: "FX position",
    Figure.RECEIVABLE: "Owed to the house",
}


class ThresholdKind(StrEnum):
    """What raises an alert. Amounts are minor units of the currency."""

    EXCESS_BELOW = "excessBelow"
    EXCESS_ABOVE = "excessAbove"
    UNRECOGNIZED_ABOVE = "unrecognizedAbove"
    UNEXPLAINED_ABOVE = "unexplainedAbove"
    LATE_ABOVE = "lateAbove"


THRESHOLD_LABELS = {
    ThresholdKind.EXCESS_BELOW: "Excess below",
    ThresholdKind.EXCESS_ABOVE: "Excess above",
    ThresholdKind.UNRECOGNIZED_ABOVE: "Unrecognized above",
    ThresholdKind.UNEXPLAINED_ABOVE: "Unexplained above",
    ThresholdKind.LATE_ABOVE: "D+1 not segregated above",
}


class ActionKind(StrEnum):
    """What was done about a shortfall or an excess."""

    TOP_UP = "topUp"
    SWEEP = "sweep"
    OTHER = "other"


class ActionAbout(StrEnum):
    """What a person answers: less at the banks than is owed, or money that was not segregated in time."""

    SHORTFALL = "shortfall"
    LATE = "late"


ABOUT_LABELS = {ActionAbout.SHORTFALL: "Shortfall or excess", ActionAbout.LATE: "D+1 not segregated"}
ACTION_LABELS = {ActionKind.TOP_UP: "Topped up", ActionKind.SWEEP: "Swept", ActionKind.OTHER: "Other"}

#: kind of background work
POSITIONS = "treasury.positions"
#: check under which thresholds raise alerts
THRESHOLD_CHECK = "threshold"
