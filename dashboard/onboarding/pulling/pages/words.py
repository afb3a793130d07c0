"""States, levels and labels in the words of the house, as far as the reader may know them."""

from __future__ import annotations

from dashboard.clients.vocabulary import KYC_LABELS, MASKED_CODE, KycState
from dashboard.onboarding.pulling.vocabulary import Field
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
