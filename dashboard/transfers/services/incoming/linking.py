"""The same credit told twice, by a notification and by a statement: found by what the bank's references tell.

Two credits of one amount are two credits: amount, day and payer alone never link. Where references leave a doubt, the
second telling waits for a person; it is never booked in doubt, and never thrown away in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from dashboard.clock import calendar
from dashboard.database import session
from dashboard.transfers.models import IncomingLink, IncomingRequest
from dashboard.transfers.services.incoming.reading import ENTRY, says_something
from dashboard.transfers.vocabulary import RequestState

#: a statement comes within days of the notification; references of older entries may be used anew
WITHIN = timedelta(days=31)
MOST_CANDIDATES = 200


@dataclass(frozen=True)
class Told:
    """What was told before. `firsts`: the requests it repeats (several where it sums them up), empty where it is new.
    `doubt`: the request that may tell the same."""

    firsts: Sequence[IncomingRequest] = ()
    doubt: IncomingRequest | None = None


def lock_keys(request: IncomingRequest) -> list[str]:
    """Whoever tells of these references at the same moment waits: neither would see the other."""
    return sorted({f"incoming:{request.provider}:{one}" for one in request.references if says_something(one)})


def take_turns(request: IncomingRequest) -> None:
    """Held until the transaction ends; in one order, so that nobody waits for each other."""
    keys = lock_keys(request)
    if keys:
        session().execute(
            sa.text(
                "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(key, 0) AS k"
                " FROM unnest(CAST(:keys AS text[])) AS key ORDER BY 1) AS sorted"
            ),
            {"keys": keys},
        ).all()


def strong(request: IncomingRequest) -> set[str]:
    """The bank's own references: all but the payer's end-to-end id, which payers use again and again."""
    return {one for one in request.references if says_something(one) and one != request.end_to_end_id}


def own(request: IncomingRequest) -> set[str]:
    """Those that are this credit's alone, not of an entry that may sum up several."""
    return {one for one in strong(request) if not one.startswith(ENTRY)}


def day_of(request: IncomingRequest) -> date:
    return calendar().today(request.booked_at)


def contradict(one: IncomingRequest, other: IncomingRequest, *, whoever: bool = False) -> bool:
    """Both say by which end-to-end id or (unless `whoever`) who paid, and they say different things: two details of
    one batch."""
    ids = (one.end_to_end_id, other.end_to_end_id)
    if all(map(says_something, ids)) and ids[0] != ids[1]:
        return True
    payers = (one.debtor_account, other.debtor_account)
    return not whoever and all(payers) and payers[0] != payers[1]


def same_end_to_end(one: IncomingRequest, other: IncomingRequest) -> bool:
    return says_something(one.end_to_end_id) and one.end_to_end_id == other.end_to_end_id


def candidates(request: IncomingRequest, *, reversal: bool, whoever: bool = False) -> list[IncomingRequest]:
    """Booked requests of the same bank account that share a reference, oldest first; never one that says something
    else of payer or end-to-end id."""
    shared = [one for one in request.references if says_something(one)]
    if not shared or request.bank_account_id is None:
        return []
    rows = session().scalars(
        sa.select(IncomingRequest)
        .where(
            IncomingRequest.references.overlap(shared),
            IncomingRequest.bank_account_id == request.bank_account_id,
            IncomingRequest.currency == request.currency,
            IncomingRequest.state == RequestState.PROCESSED.value,
            IncomingRequest.reversal.is_(reversal),
            IncomingRequest.id != request.id,
            IncomingRequest.booked_at.between(request.booked_at - WITHIN, request.booked_at + WITHIN),
        )
        .order_by(IncomingRequest.id)
        .limit(MOST_CANDIDATES)
        .execution_options(populate_existing=True)
    )
    return [row for row in rows if not contradict(row, request, whoever=whoever)]


def told_before(request: IncomingRequest) -> Told:
    """Whether another source told this credit, or reversal, before."""
    found = candidates(request, reversal=request.reversal)
    free = _not_yet_repeated([row for row in found if row.source != request.source], request.source)
    mine = strong(request)
    same = [row for row in free if row.amount_minor == request.amount_minor]
    by_bank = [row for row in same if mine & strong(row)]
    if by_bank:
        return Told(firsts=[max(by_bank, key=lambda row: _alike(row, request))])
    by_payer = [row for row in same if same_end_to_end(row, request) and day_of(row) == day_of(request)]
    certain = [row for row in by_payer if not (told_strongly(row) and told_strongly(request))]
    if certain:
        return Told(firsts=certain[:1])
    others = [row for row in free if mine & strong(row)]
    if len(others) > 1 and sum(row.amount_minor or 0 for row in others) == request.amount_minor:
        return Told(firsts=others)
    # each side has references of the bank's own, and none of them is shared; or amounts that do not agree
    doubtful = by_payer or others or _again_by_the_same(found, request)
    return Told(doubt=doubtful[0] if doubtful else None)


def _alike(row: IncomingRequest, request: IncomingRequest) -> int:
    """How much tells that the two are one, among details of a batch that share its reference."""
    return (
        len(strong(request) & strong(row))
        + same_end_to_end(row, request)
        + (row.debtor_account is not None and row.debtor_account == request.debtor_account)
        + (row.remittance is not None and row.remittance == request.remittance)
    )


def told_strongly(request: IncomingRequest) -> bool:
    """Whether the bank gave more than the name by which the provider calls the message."""
    return bool(strong(request) - {request.provider_reference})


def _again_by_the_same(found: Sequence[IncomingRequest], request: IncomingRequest) -> list[IncomingRequest]:
    """Told twice by one source under two names, and nothing tells the two apart. Entries of one message are two."""
    mine = own(request)
    return [
        row
        for row in found
        if row.source == request.source
        and row.amount_minor == request.amount_minor
        and mine & own(row)
        and (row.message_id is None or row.message_id != request.message_id)
    ]


def _not_yet_repeated(rows: Sequence[IncomingRequest], source: str) -> list[IncomingRequest]:
    """Without those that this source has told already: it tells each credit once."""
    if not rows:
        return []
    taken = set(
        session().scalars(
            sa.select(IncomingLink.first_id).where(
                IncomingLink.first_id.in_([row.id for row in rows]),
                IncomingLink.source == source,
                IncomingLink.part.is_(False),
            )
        )
    )
    return [row for row in rows if row.id not in taken]
