"""Words of asking and comparing, with what people read."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an applicant is asked about."""

    #: a webhook approved, and opening a client needs a second word
    CONFIRM = "confirm"
    #: Sumsub's turn, and no news for too long
    SILENT = "silent"
    #: a message about it was refused, could not be read or not be processed
    DOUBTFUL = "doubtful"
    #: somebody of the staff wants to know
    STAFF = "staff"


REASON_LABELS = {
    Reason.CONFIRM: "To confirm an approval",
    Reason.SILENT: "No news for a long time",
    Reason.DOUBTFUL: "A message about it was doubtful",
    Reason.STAFF: "Asked by staff",
}


class Outcome(StrEnum):
    """What came of a question."""

    #: as we have it
    SAME = "same"
    #: it was news, and is applied
    APPLIED = "applied"
    #: it differs, and by its time it is not newer: for a person
    DIFFERS = "differs"
    #: Sumsub has no such applicant
    NOT_KNOWN = "notKnown"
    #: never answered, or not to be asked
    GIVEN_UP = "givenUp"


OUTCOME_LABELS = {
    Outcome.SAME: "the same as here",
    Outcome.APPLIED: "news, applied",
    Outcome.DIFFERS: "differs",
    Outcome.NOT_KNOWN: "not known there",
    Outcome.GIVEN_UP: "no answer",
}


class Field(StrEnum):
    """What may differ between ours and theirs."""

    APPLICANT = "applicant"
    CLIENT = "client"
    STATE = "state"
    LEVEL = "level"
    LABELS = "labels"


FIELD_LABELS = {
    Field.APPLICANT: "Applicant",
    Field.CLIENT: "Whose applicant it is",
    Field.STATE: "State",
    Field.LEVEL: "Level",
    Field.LABELS: "Reject labels",
}


class DifferenceState(StrEnum):
    OPEN = "open"
    #: a person has looked, and it may stay so; another difference of the same field opens anew
    ACCEPTED = "accepted"
    RESOLVED = "resolved"


class Closing(StrEnum):
    """How a difference ended."""

    #: a lost event: what Sumsub says was applied
    APPLIED = "applied"
    #: at a later look both said the same
    AGREES = "agrees"
    #: it differs in another way by now, which is a difference of its own
    CHANGED = "changed"


CLOSING_LABELS = {
    Closing.APPLIED: "Caught up with Sumsub",
    Closing.AGREES: "Agrees by now",
    Closing.CHANGED: "Differs otherwise by now",
}

#: kinds of background work
ASK, COMPARE = "sumsub.ask", "sumsub.compare"
#: the queue that differences wait in, and what the item is about
QUEUE, CAUSE, OBJECT = "verification", "difference", "verification_difference"
#: an approval whose second word does not come
UNCONFIRMED = "approvalUnconfirmed"
