"""Taking events in: what came is kept before anything is made of it.

One statement each, committed by itself: the answer to Sumsub waits for nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock, direct
from dashboard.clients.calendar import calendar
from dashboard.database import new_id, session, transaction
from dashboard.onboarding.sumsub import reader
from dashboard.onboarding.sumsub.folding import place_of
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.onboarding.sumsub.vocabulary import QUEUE, DoubtCause, EventEffect, Refusal, Source, Verdict
from dashboard.queues import services as queues

#: of a refused body: enough to see what it was
REFUSED_BYTES = 2048
#: refused bodies kept in an hour; a stranger who sends more fills no disk
REFUSED_AN_HOUR = 100
#: of each kind as many as of any other: whoever sends bodies without a digest does not crowd out a genuine event that
#: was signed with another secret, or by another algorithm
REFUSED_OF_A_KIND = REFUSED_AN_HOUR // len(Refusal)
#: a repetition of a refused body is written down at most this often
COUNTED_EVERY = "1 minute"
REFUSED_KEPT = timedelta(days=14)


@dataclass(frozen=True)
class Stored:
    """`fresh` False: the same body had come before."""

    event_id: UUID
    fresh: bool


_ACCEPT = """
INSERT INTO sumsub_event (id, received_at, source, verdict, digest, meaning, body, size, delivered_at, secret_number,
    allowances, type, applicant_id, external_user_id, correlation_id, level, review_status, answer, reject_type,
    sandbox, told_at, ordered_at, ordered_rank, processed_at, effect)
VALUES ($1::uuid, $2::timestamptz, $3::text, 'accepted', $4::text, $5::text,
    -- of whom everything personal was deleted, nothing new is kept
    CASE WHEN EXISTS (SELECT 1 FROM client c WHERE c.id = $23::uuid AND c.purged_at IS NOT NULL)
           OR EXISTS (SELECT 1 FROM sumsub_applicant a JOIN client c ON c.id = a.client_id
                      WHERE a.applicant_id = $11::text AND c.purged_at IS NOT NULL)
         THEN NULL ELSE $6::bytea END, $7::int, $2::timestamptz,
    $8::smallint, ARRAY(SELECT jsonb_array_elements_text($9::jsonb)), $10::text, $11::text, $12::text, $13::text,
    $14::text, $15::text, $16::text, $17::text, $18::boolean, $19::timestamptz, $20::timestamptz, $21::smallint,
    CASE WHEN $22::text IS NOT NULL THEN $2::timestamptz END, $22::text)
ON CONFLICT ((source = 'pull'), digest) WHERE verdict = 'accepted' DO UPDATE
    SET deliveries = sumsub_event.deliveries + 1, delivered_at = EXCLUDED.delivered_at
RETURNING id, xmax = 0
"""

_REFUSE = f"""
INSERT INTO sumsub_event (id, received_at, source, verdict, refusal, digest, body, size, delivered_at)
SELECT $1::uuid, $2::timestamptz, 'webhook', 'refused', $3::text, $4::text, $5::bytea, $6::int, $2::timestamptz
WHERE EXISTS (SELECT 1 FROM sumsub_event WHERE verdict = 'refused' AND digest = $4::text
                  AND delivered_at <= $2::timestamptz - interval '{COUNTED_EVERY}')
   OR (NOT EXISTS (SELECT 1 FROM sumsub_event WHERE verdict = 'refused' AND digest = $4::text)
       AND (SELECT count(*) FROM (SELECT 1 FROM sumsub_event
                                  WHERE verdict = 'refused' AND received_at > $2::timestamptz - interval '1 hour'
                                    AND refusal = $3::text
                                  LIMIT {REFUSED_OF_A_KIND}) AS recent) < {REFUSED_OF_A_KIND})
ON CONFLICT (digest) WHERE verdict = 'refused' DO UPDATE
    SET deliveries = sumsub_event.deliveries + 1, delivered_at = EXCLUDED.delivered_at
    WHERE sumsub_event.delivered_at <= EXCLUDED.delivered_at - interval '{COUNTED_EVERY}'
RETURNING id
"""


def accept(body: bytes, *, source: Source, secret_number: int | None = None) -> Stored:
    """Keep a genuine event. The same body again is counted and nothing else. Raises psycopg.Error."""
    moment = clock.now()
    digest = hashlib.sha256(body).hexdigest()
    try:
        message = reader.read(body)
    except reader.Unreadable as problem:
        return _keep_unreadable(body, digest, str(problem), moment, source, secret_number)
    place, named = place_of(message, moment), reader.client_id(message.external_user_id)
    # of transactions and cases nothing follows for a client
    effect = None if message.applicant_id else EventEffect.NOTED.value
    row = direct.one(
        _ACCEPT,
        [
            new_id(), moment.isoformat(), source.value, digest, message.meaning, body, len(body), secret_number,
            _json_list(message.allowances), message.type, message.applicant_id, message.external_user_id,
            message.correlation_id, message.level, message.review_status, message.review.answer,
            message.review.reject_type, None if message.sandbox is None else str(message.sandbox).lower(),
            (message.told_at or moment).isoformat(), place.at.isoformat(), place.rank, effect,
            str(named) if named else None,
        ],
    )  # fmt: skip
    assert row is not None  # inserted or updated: there is always one
    return Stored(row[0], bool(row[1]))


def _json_list(texts: tuple[str, ...]) -> str:
    import json

    return json.dumps(list(texts))


def _keep_unreadable(
    body: bytes, digest: str, problem: str, moment: datetime, source: Source, secret_number: int | None
) -> Stored:
    """Signed, and not to be read: a person must look, so it is one transaction with the item for that."""
    with transaction():
        row = direct.one(
            _ACCEPT,
            [
                new_id(), moment.isoformat(), source.value, digest, None, body, len(body), secret_number,
                _json_list((problem,)), *[None] * 9, None, None, None, EventEffect.UNREADABLE.value, None,
            ],
        )  # fmt: skip
        assert row is not None
        stored = Stored(row[0], bool(row[1]))
        if stored.fresh:
            queues.open_item(
                QUEUE, cause=DoubtCause.UNREADABLE.value, object_type="sumsub_event", object_id=stored.event_id,
                client_id=None, due_at=calendar().due_after(moment, 1),
            )  # fmt: skip
    return stored


def refuse(body: bytes, refusal: Refusal) -> bool:
    """Keep the beginning of a body that nobody signed, as long as there are not too many; gives whether it was kept.

    What it says is never read. The same again within a minute writes nothing.
    """
    kept = direct.one(
        _REFUSE,
        [
            new_id(), clock.now().isoformat(), refusal.value, hashlib.sha256(body).hexdigest(), body[:REFUSED_BYTES],
            len(body),
        ],
    )  # fmt: skip
    return kept is not None


def forget_refused() -> int:
    """Drop refused bodies that are old; gives how many."""
    gone = session().execute(
        sa.delete(SumsubEvent).where(
            SumsubEvent.verdict == Verdict.REFUSED.value, SumsubEvent.received_at < clock.now() - REFUSED_KEPT
        )
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]
