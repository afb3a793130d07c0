"""Reading a message of Sumsub: tolerant of everything that was seen in the wild, and saying where it had to be.

Nothing here asks whether a message is genuine; that is `signature`. The same body always reads the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from dashboard.onboarding.sumsub.vocabulary import Type

#: text that we keep in columns of their own; longer ones are cut, the body has them whole
LONGEST = 200
LONGEST_COMMENT = 10_000
MOST_LABELS = 100
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d{2}:?\d{2})?", re.ASCII
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
#: our client's id in the spellings of the same UUID: with or without hyphens and braces, in either case
_CLIENT_ID = re.compile(r"(\{)?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?(1)\})", re.ASCII | re.IGNORECASE)


class Unreadable(Exception):
    """Signed, and no JSON object. The message names what is wrong, never what was sent."""


@dataclass(frozen=True)
class Review:
    """`reviewResult`. `answer`: GREEN, RED, YELLOW or what else came; `reject_type`: FINAL, RETRY or what else came."""

    answer: str | None = None
    reject_type: str | None = None
    labels: tuple[str, ...] = ()
    moderation_comment: str | None = None
    client_comment: str | None = None


@dataclass(frozen=True)
class Message:
    """What a body says. `whole_seconds`: its time is known to the second only. `allowances`: what was forgiven."""

    type: str | None
    applicant_id: str | None
    external_user_id: str | None
    correlation_id: str | None
    level: str | None
    previous_level: str | None
    review_status: str | None
    review: Review
    sandbox: bool | None
    told_at: datetime | None
    whole_seconds: bool
    member_of: bool
    #: individual or company, or what else came
    applicant_type: str | None
    #: of what is told about a transaction rather than an applicant
    transaction_id: str | None
    meaning: str
    allowances: tuple[str, ...] = ()

    @property
    def completed(self) -> bool:
        return self.review_status == "completed"

    @property
    def approves(self) -> bool:
        """The only thing that counts as an approval: completed and GREEN together."""
        return self.completed and self.review.answer == "GREEN"


def _refuse_constant(_text: str) -> Any:
    raise ValueError


def read(body: bytes) -> Message:
    """Raises Unreadable."""
    try:
        told = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(told, dict):
        raise Unreadable("no JSON object")
    allowances: list[str] = []
    told_at, whole_seconds = _time(told, allowances)
    return Message(
        type=_text(told, "type", allowances),
        applicant_id=_text(told, "applicantId", allowances),
        external_user_id=client_name(_text(told, "externalUserId", allowances)),
        correlation_id=_text(told, "correlationId", allowances),
        level=_text(told, "levelName", allowances),
        previous_level=_text(told, "previousLevelName", allowances),
        review_status=_text(told, "reviewStatus", allowances),
        review=_review(told.get("reviewResult"), allowances),
        sandbox=_flag(told, allowances),
        told_at=told_at,
        whole_seconds=whole_seconds,
        member_of=bool(told.get("applicantMemberOf")),
        applicant_type=_text(told, "applicantType", allowances),
        transaction_id=_text(told, "kytTxnId", allowances) or _text(told, "kytDataTxnId", allowances),
        meaning=_meaning(told),
        allowances=tuple(dict.fromkeys(allowances)),
    )


def client_id(text: str | None) -> UUID | None:
    """The client that an external user id names; None where it is no UUID."""
    return UUID(text) if text and _CLIENT_ID.fullmatch(text) else None


def client_name(text: str | None) -> str | None:
    """An external user id in one spelling: two spellings of one UUID are one client."""
    found = client_id(text)
    return str(found) if found else text


def _meaning(told: dict[str, Any]) -> str:
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL and no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _text(told: dict[str, Any], name: str, allowances: list[str], longest: int = LONGEST) -> str | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool | int) and not isinstance(value, bool):
        allowances.append(f"{name} is a number")
        value = str(value)
    if not isinstance(value, str):
        allowances.append(f"{name} is no text")
        return None
    text = _storable(value).strip()
    if len(text) > longest:
        allowances.append(f"{name} is longer than {longest}")
        text = text[:longest]
    return text or None


def _flag(told: dict[str, Any], allowances: list[str]) -> bool | None:
    """`sandboxMode`: a boolean, or one in quotation marks. What is neither counts as a sandbox: it opens nothing."""
    value = told.get("sandboxMode")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        allowances.append("sandboxMode is text")
        return value.strip().lower() == "true"
    allowances.append("sandboxMode is neither true nor false")
    return True


def _review(value: Any, allowances: list[str]) -> Review:
    if value is None:
        return Review()
    if not isinstance(value, dict):
        allowances.append("reviewResult is no object")
        return Review()
    labels = value.get("rejectLabels")
    if labels is not None and not isinstance(labels, list):
        allowances.append("rejectLabels is no list")
        labels = None
    kept = [_storable(one)[:LONGEST] for one in labels or [] if isinstance(one, str) and one.strip()]
    if len(kept) != len(labels or []) or len(kept) > MOST_LABELS:
        allowances.append("rejectLabels were not all kept")
    return Review(
        answer=_upper(_text(value, "reviewAnswer", allowances)),
        reject_type=_upper(_text(value, "reviewRejectType", allowances)),
        labels=tuple(kept[:MOST_LABELS]),
        moderation_comment=_text(value, "moderationComment", allowances, LONGEST_COMMENT),
        client_comment=_text(value, "clientComment", allowances, LONGEST_COMMENT),
    )


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


def _time(told: dict[str, Any], allowances: list[str]) -> tuple[datetime | None, bool]:
    """The time of the event and whether it is known to the second only; `createdAtMs` before `createdAt`."""
    for name, usual in (("createdAtMs", True), ("createdAt", False)):
        value = told.get(name)
        if value is None:
            continue
        found = parse_time(value)
        if found is None:
            allowances.append(f"{name} is no time")
            continue
        moment, whole = found
        if usual and whole:
            allowances.append("createdAtMs has no milliseconds")
        if not usual:
            allowances.append("createdAt only")
        return moment, whole
    allowances.append("no time")
    return None, False


def parse_time(value: Any) -> tuple[datetime, bool] | None:
    """`2020-02-21 13:23:19.002`, `2020-02-21 13:23:19+0000`, ISO 8601, or milliseconds since 1970; UTC without a zone.

    Gives the moment and whether it is known to the second only; None for what is no such time.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            moment = datetime.fromtimestamp(value / 1000, UTC)
        except (OverflowError, OSError, ValueError):
            return None
        return (moment, False) if EARLIEST <= moment < LATEST else None
    if not isinstance(value, str):
        return None
    parts = _TIME.fullmatch(value.strip())
    if parts is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = parts.groups()
    offset = "+00:00" if zone in {None, "Z", "z"} else f"{zone[:3]}:{zone[-2:]}"
    try:
        moment = datetime.fromisoformat(
            f"{year}-{month}-{day}T{hour}:{minute}:{second}.{(fraction or '0')[:6]:0<6}{offset}"
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (moment, fraction is None) if EARLIEST <= moment < LATEST else None


def tells_state(kind: str | None) -> bool:
    """Whether an event of this type may say what an applicant's state is: of others we only keep what was told."""
    return kind in _STATEFUL


def is_folded(kind: str | None) -> bool:
    """Whether it matters for what we know of an applicant, its state or when its data changed."""
    return kind in _FOLDED


_FOLDED = frozenset(one.value for one in Type)
_STATEFUL = _FOLDED - {Type.PERSONAL_INFO_CHANGED.value, Type.TAGS_CHANGED.value}
