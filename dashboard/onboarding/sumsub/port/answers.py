"""What an answer says about an applicant, and nothing else.

`GET …/status` holds no personal data; `GET …/one` does (name, birth date, documents, address). Of both the same few
fields are taken, named here one by one: whatever is not named is never kept, stored or logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import simplejson

from dashboard.onboarding.sumsub.port.failures import Unreadable

#: a longer text is none of these fields
LONGEST = 4_000
MOST_LABELS = 100
#: "2020-06-24 05:11:02+0000", the same without the zone, with milliseconds, or with a T between
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)  # fmt: skip


@dataclass(frozen=True)
class Review:
    """The review as it stands at Sumsub. Comments are as they came; `moderation_comment` may be shown to the applicant,
    `client_comment` never. `review_date`: when it was decided; `create_date`: when the applicant handed it in."""

    status: str | None
    answer: str | None
    reject_type: str | None
    labels: tuple[str, ...]
    moderation_comment: str | None
    client_comment: str | None
    level: str | None
    attempt: str | None
    attempts: int | None
    create_date: datetime | None
    review_date: datetime | None
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """`applicant_id` None: `…/status` does not repeat it. `asked_at`: Sumsub's clock when it answered."""

    review: Review
    asked_at: datetime
    applicant_id: str | None = None
    external_user_id: str | None = None
    inspection_id: str | None = None
    applicant_type: str | None = None
    deleted: bool = False


def _text(document: Mapping[str, Any], key: str) -> str | None:
    found = document.get(key)
    if isinstance(found, bool) or found is None:
        return None
    if isinstance(found, int):
        return str(found)
    if not isinstance(found, str) or len(found) > LONGEST or "\0" in found:
        raise Unreadable(f"Sumsub's answer has no readable {key}.")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise Unreadable(f"Sumsub's answer has no readable {key}.") from None
    return found or None


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = document.get(key) or []
    if not isinstance(found, list) or len(found) > MOST_LABELS:
        raise Unreadable(f"Sumsub's answer has no readable {key}.")
    return tuple(dict.fromkeys(str(each) for each in found if isinstance(each, str) and 0 < len(each) <= 200))


def moment(text: str | None) -> datetime | None:
    """A time of Sumsub's, in UTC; a zone that is not named is UTC. Raises Unreadable."""
    if text is None:
        return None
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise Unreadable("Sumsub's answer has a time that cannot be read.")
    day, clock, fraction, zone = found.groups()
    offset = "+00:00" if zone in {None, "Z"} else f"{zone[:3]}:{zone[-2:]}"
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable("Sumsub's answer has a time that cannot be read.") from None


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable(f"Sumsub's answer has no readable {key}.")
    return found


def _review(document: Mapping[str, Any]) -> Review:
    result = _object(document, "reviewResult")
    attempts = document.get("attemptCnt")
    return Review(
        status=_text(document, "reviewStatus"),
        answer=_text(result, "reviewAnswer"),
        reject_type=_text(result, "reviewRejectType"),
        labels=_texts(result, "rejectLabels"),
        moderation_comment=_text(result, "moderationComment"),
        client_comment=_text(result, "clientComment"),
        level=_text(document, "levelName"),
        attempt=_text(document, "attemptId"),
        attempts=attempts if isinstance(attempts, int) and not isinstance(attempts, bool) and attempts >= 0 else None,
        create_date=moment(_text(document, "createDate")),
        review_date=moment(_text(document, "reviewDate")),
        buttons=_texts(result, "buttonIds"),
    )


def document(body: bytes) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises Unreadable."""
    try:
        found = simplejson.loads(body.decode(), use_decimal=True)
    except (ValueError, RecursionError):
        raise Unreadable("Sumsub's answer is no JSON.") from None
    if not isinstance(found, dict):
        raise Unreadable("Sumsub's answer is no JSON object.")
    return found


def status(body: bytes, *, asked_at: datetime) -> Answer:
    """An answer of `GET …/status`. Raises Unreadable."""
    found = document(body)
    if not any(key in found for key in ("reviewStatus", "reviewResult", "reviewId", "createDate")):
        raise Unreadable("Sumsub's answer says nothing about a review.")
    return Answer(_review(found), asked_at)


def applicant(body: bytes, *, asked_at: datetime) -> Answer:
    """An answer of `GET …/one`, without any of the personal data that stand in it. Raises Unreadable."""
    found = document(body)
    if _text(found, "id") is None:
        raise Unreadable("Sumsub's answer names no applicant.")
    return Answer(
        _review(_object(found, "review")),
        asked_at,
        applicant_id=_text(found, "id"),
        external_user_id=_text(found, "externalUserId"),
        inspection_id=_text(found, "inspectionId"),
        applicant_type=_text(found, "type"),
        deleted=found.get("deleted") is True,
    )
