"""States, levels and labels in the words of the house, as far as the reader may know them."""

from __future__ import annotations

from dashboard.clients.vocabulary import KYC_LABELS, MASKED_CODE, KycState
from dashboard.onboarding.pulling.models import VerificationDifference
from dashboard.onboarding.pulling.vocabulary import FIELD_LABELS, Field
from dashboard.onboarding.sumsub import labels

_KNOWN = {
    "known": "known here",
    "notKnown": "not known there",
}


def side(field: str, value: str | None, *, sees_restricted: bool) -> str:
    """One side of a difference."""
    if value is None:
        return "nothing"
    if field == Field.STATE and value in set(KycState):
        return KYC_LABELS[KycState(value)]
    if field == Field.APPLICANT:
        return _KNOWN.get(value, value)
    if field == Field.LABELS:
        if not sees_restricted:
            return MASKED_CODE
        return ", ".join(label.words for label in labels.in_words(value.split(" ")))
    return value


def in_short(difference: VerificationDifference, *, sees_restricted: bool) -> str:
    """A difference in one line."""
    ours, theirs = (
        side(difference.field, value, sees_restricted=sees_restricted) for value in (difference.ours, difference.theirs)
    )
    return f"{FIELD_LABELS[Field(difference.field)]}: {ours} here, {theirs} at Sumsub"
