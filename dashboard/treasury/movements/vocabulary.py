"""Words of movements between the house's own bank accounts."""

from __future__ import annotations

from enum import StrEnum

from dashboard.treasury.vocabulary import Purpose


class MovementKind(StrEnum):
    """Why the house moves money of its own accounts."""

    TOP_UP = "topUp"
    SWEEP = "sweep"
    PREFUNDING = "prefunding"
    SEGREGATION = "segregation"


KIND_LABELS = {
    MovementKind.TOP_UP: "Top-up",
    MovementKind.SWEEP: "Sweep",
    MovementKind.PREFUNDING: "Prefunding",
    MovementKind.SEGREGATION: "Segregation",
}

#: from what kind of bank account to what kind; the trigger `own_movement_guard` says the same
WAYS: dict[MovementKind, tuple[frozenset[Purpose], frozenset[Purpose]]] = {
    # own money makes good what safeguarding lacks
    MovementKind.TOP_UP: (frozenset({Purpose.OWN_FUNDS}), frozenset({Purpose.SAFEGUARDING})),
    # what is the house's own leaves the clients' accounts
    MovementKind.SWEEP: (frozenset({Purpose.SAFEGUARDING, Purpose.SETTLEMENT}), frozenset({Purpose.OWN_FUNDS})),
    # a provider pays out only what lies with it
    MovementKind.PREFUNDING: (frozenset({Purpose.OWN_FUNDS, Purpose.SAFEGUARDING}), frozenset({Purpose.SETTLEMENT})),
    # clients' money goes where it is safeguarded
    MovementKind.SEGREGATION: (
        frozenset({Purpose.SETTLEMENT, Purpose.SAFEGUARDING}), frozenset({Purpose.SAFEGUARDING}),
    ),
}  # fmt: skip

KIND_EXPLAINED = {
    MovementKind.TOP_UP: "own funds to a safeguarding account, to make good a shortfall",
    MovementKind.SWEEP: "fees and interest out of clients’ accounts to own funds",
    MovementKind.PREFUNDING: "to a settlement account, so that its provider can pay out",
    MovementKind.SEGREGATION: "clients’ money to a safeguarding account",
}


class Way(StrEnum):
    """How the bank is told: by a payment file, or by a person in the bank's own system."""

    FILE = "file"
    AT_BANK = "atBank"


WAY_LABELS = {Way.FILE: "Payment file", Way.AT_BANK: "At the bank by hand"}


class MovementState(StrEnum):
    """`dropped`: the second person said no, or nobody did in time. `sent`: booked, in transit until both banks say so.
    `refused`: the bank did not do it, and it is booked back."""

    REQUESTED = "requested"
    APPROVED = "approved"
    SENT = "sent"
    SETTLED = "settled"
    DROPPED = "dropped"
    CANCELED = "canceled"
    REFUSED = "refused"


STATE_LABELS = {
    MovementState.REQUESTED: "Waiting for approval",
    MovementState.APPROVED: "Approved",
    MovementState.SENT: "In transit",
    MovementState.SETTLED: "Settled",
    MovementState.DROPPED: "Not approved",
    MovementState.CANCELED: "Canceled",
    MovementState.REFUSED: "Refused by the bank",
}

#: colour role of each state (static/css/roles.css)
STATE_ROLES = {
    MovementState.REQUESTED: "wait",
    MovementState.APPROVED: "info",
    MovementState.SENT: "info",
    MovementState.SETTLED: "ok",
    MovementState.DROPPED: "neutral",
    MovementState.CANCELED: "neutral",
    MovementState.REFUSED: "stop",
}

#: state to the states that may follow; the trigger `own_movement_guard` says the same
FOLLOWING: dict[MovementState, frozenset[MovementState]] = {
    MovementState.REQUESTED: frozenset({MovementState.APPROVED, MovementState.DROPPED}),
    MovementState.APPROVED: frozenset({MovementState.SENT, MovementState.CANCELED}),
    MovementState.SENT: frozenset({MovementState.SETTLED, MovementState.REFUSED}),
}

#: something is still expected to happen
UNDER_WAY = (MovementState.REQUESTED, MovementState.APPROVED, MovementState.SENT)
