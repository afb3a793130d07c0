"""How long the law wants data of a client kept, and the words around deletion.

AMLR (EU) 2024/1624 Art. 77: five years from the end of the relationship, not redacted, then personal data goes; an
authority may want up to five more, case by case (a legal hold EXTENDED_RETENTION). GDPR Art. 17(3)(b): while the law
demands keeping, erasure waits and processing is restricted (Art. 18). RETENTION_YEARS is for national laws that want
more than five.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from enum import StrEnum

from dashboard.clock import calendar

_years: list[int] = []


class DeletionState(StrEnum):
    REQUESTED = "requested"
    WAITING = "waiting"
    PURGED = "purged"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


STATE_LABELS = {
    DeletionState.REQUESTED: "To decide",
    DeletionState.WAITING: "Waits for the date",
    DeletionState.PURGED: "Deleted",
    DeletionState.REFUSED: "Refused",
    DeletionState.WITHDRAWN: "Withdrawn",
}
STATE_ROLES = {
    DeletionState.REQUESTED: "wait",
    DeletionState.WAITING: "info",
    DeletionState.PURGED: "neutral",
    DeletionState.REFUSED: "stop",
    DeletionState.WITHDRAWN: "neutral",
}
OPEN = (DeletionState.REQUESTED.value, DeletionState.WAITING.value)


class Channel(StrEnum):
    FRONT_OFFICE = "frontOffice"
    LETTER = "letter"
    EMAIL = "email"
    PHONE = "phone"
    IN_PERSON = "inPerson"
    INSTITUTION = "institution"


CHANNEL_LABELS = {
    Channel.FRONT_OFFICE: "by the app",
    Channel.LETTER: "by letter",
    Channel.EMAIL: "by e-mail",
    Channel.PHONE: "by phone",
    Channel.IN_PERSON: "in person",
    Channel.INSTITUTION: "by the house itself",
}


class Ground(StrEnum):
    """Why a request may be refused. That the law wants the data kept is no reason to refuse: then it waits."""

    LEGAL_OBLIGATION = "legalObligation"
    LEGAL_CLAIMS = "legalClaims"
    NOT_THE_CLIENT = "notTheClient"
    UNFOUNDED = "unfounded"


GROUND_LABELS = {
    Ground.LEGAL_OBLIGATION: "The relationship goes on: its data is needed by law (GDPR Art. 17(3)(b))",
    Ground.LEGAL_CLAIMS: "Needed for legal claims (GDPR Art. 17(3)(e))",
    Ground.NOT_THE_CLIENT: "Who asked is not the client, or could not be identified (GDPR Art. 12(6))",
    Ground.UNFOUNDED: "Manifestly unfounded or excessive (GDPR Art. 12(5))",
}


class HoldCode(StrEnum):
    LITIGATION = "LITIGATION"
    AUTHORITY_ORDER = "AUTHORITY_ORDER"
    INVESTIGATION = "INVESTIGATION"
    EXTENDED_RETENTION = "EXTENDED_RETENTION"
    AUDIT = "AUDIT"


HOLD_LABELS = {
    HoldCode.LITIGATION: "Litigation",
    HoldCode.AUTHORITY_ORDER: "Order of an authority",
    HoldCode.INVESTIGATION: "Investigation",
    HoldCode.EXTENDED_RETENTION: "Retention extended by an authority (AMLR Art. 77)",
    HoldCode.AUDIT: "Audit",
}


def install(years: int) -> None:
    """Take RETENTION_YEARS from the settings; called once, by the application factory."""
    _years[:] = [years]


def years() -> int:
    """Years from the end of a relationship until its personal data goes."""
    return _years[0]


def answer_due(received: date) -> date:
    """Until when the person is answered: one month from receipt (GDPR Art. 12(3)), the last day of a shorter month."""
    year, month = divmod(received.year * 12 + received.month, 12)
    return date(year, month + 1, min(received.day, monthrange(year, month + 1)[1]))


def last_day(begins: datetime | None) -> date | None:
    """The last day on which data must be kept; None while retention has not begun."""
    first_free = ends(begins)
    return None if first_free is None else first_free - timedelta(days=1)


def ends(begins: datetime | None) -> date | None:
    """The first day on which nothing wants the data kept any more; None while retention has not begun."""
    if begins is None:
        return None
    # the day after the anniversary: the last day of retention is whole in every zone
    day = begins.astimezone(calendar().zone).date()
    try:
        anniversary = day.replace(year=day.year + years())
    except ValueError:
        # 29 February
        anniversary = day.replace(year=day.year + years(), month=3, day=1)
    return date.fromordinal(anniversary.toordinal() + 1)
