"""Adding a cover, and changing until when it is valid: asked by one person, done when another one approves."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Refused
from dashboard.treasury.cover import queries
from dashboard.treasury.cover.models import Cover
from dashboard.treasury.cover.services.entries import Entry, checked, difference, entry_of, standing
from dashboard.treasury.cover.vocabulary import ADD, CHANGE, KIND_LABELS, OBJECT, CoverKind
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services.reopening import reopen_all

#: with a digest of what makes a cover one of its own: it is asked for by one person at a time
_LOCK = 0x636F7672

#: versions of days after a day that counted a cover
Counting = Callable[[UUID, date], Sequence[TreasuryDay]]
_learned: list[Counting] = []


def learn_counting(counting: Counting) -> None:
    """Called by app.py: who counts covers stands above them."""
    _learned[:] = [counting]


def subject(entry: Entry) -> str:
    """Guarantee of Baltic Surety, G-2026-17"""
    return f"{KIND_LABELS[CoverKind(entry.kind)]} of {entry.issuer}, {entry.reference}"


def _own(entry: Entry) -> dict[str, Any]:
    return {"currency": entry.currency, "kind": entry.kind, "issuer": entry.issuer, "reference": entry.reference,
            "valid_from": entry.valid_from}  # fmt: skip


def _hold(entry: Entry) -> None:
    key = zlib.crc32(repr(sorted(_own(entry).items())).encode()) - 2**31
    session().execute(sa.text("SELECT pg_advisory_xact_lock(:kind, :key)"), {"kind": _LOCK, "key": key})


def _known(entry: Entry) -> Cover | None:
    return session().scalar(sa.select(Cover).filter_by(**_own(entry)))


def ask_to_add(entry: Entry, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for a new cover. Raises Invalid, Forbidden, Conflict `coverExists`, `alreadyRequested`."""
    by.require(Permission.TREASURY_WRITE)
    wanted = checked(entry)
    _hold(wanted)
    known = _known(wanted)
    if known is not None:
        raise Conflict("This cover is there already, from the same day on.", code="coverExists",
                       details={"coverId": str(known.id)})  # fmt: skip
    payload = wanted.as_payload()
    cover = ApprovalRequest.payload["cover"]
    same = ("currency", "kind", "issuer", "reference", "validFrom")
    waiting = session().scalar(
        sa.select(ApprovalRequest.id).where(
            ApprovalRequest.kind == ADD, ApprovalRequest.state == "requested", ApprovalRequest.expires_at > clock.now(),
            *(cover[name].astext == payload[name] for name in same),
        )
    )  # fmt: skip
    if waiting is not None:
        raise Conflict("This has been asked already and waits for a decision.", code="alreadyRequested",
                       details={"requestId": str(waiting)})  # fmt: skip
    before, after = difference(None, wanted)
    return approvals.request(
        ADD, object_type=OBJECT, object_id=new_id(), client_id=None, subject=subject(wanted),
        payload={"cover": payload}, before=before, after=after, reason=reason, restricted=False,
        by=by,
    )  # fmt: skip


def added_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Nobody else adds the same one meanwhile; whether it is there."""
    entry = entry_of(request.payload["cover"])
    _hold(entry)
    return {"exists": _known(entry) is not None}


def execute_adding(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved new cover."""
    entry = entry_of(request.payload["cover"])
    row = Cover(
        id=request.object_id, pool=entry.pool, currency=entry.currency, kind=entry.kind, issuer=entry.issuer,
        reference=entry.reference, amount_minor=entry.amount_minor, valid_from=entry.valid_from,
        valid_to=entry.valid_to, review_on=entry.review_on, version=1, changed_at=clock.now(), approval_id=request.id,
    )  # fmt: skip
    session().add(row)
    session().flush()
    before, after = difference(None, entry)
    audit.record(
        "treasuryCover.added", by=by, object_type=OBJECT, object_id=row.id, before=before, after=after,
        reason=request.reason,
    )  # fmt: skip


def _locked(cover_id: UUID) -> Cover | None:
    return session().get(Cover, cover_id, with_for_update=True, populate_existing=True)


def ask_to_change(cover_id: UUID, *, valid_to: date | None, review_on: date, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to change until when a cover is valid, and when it is looked at again. Another amount is another cover.

    Raises Invalid, Forbidden, NotFound, Refused `nothingChanges`, Conflict `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    row = _locked(cover_id) or queries.one(cover_id)
    now = standing(row)
    wanted = checked(replace(now, valid_to=valid_to, review_on=review_on))
    if wanted == now:
        raise Refused("This is what the register says already. Nothing would change.", code="nothingChanges")
    before, after = difference(now, wanted)
    return approvals.request(
        CHANGE, object_type=OBJECT, object_id=cover_id, client_id=None, subject=subject(wanted),
        payload={"cover": wanted.as_payload()}, before=before, after=after, reason=reason, restricted=False,
        by=by,
    )  # fmt: skip


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the row: any change of it makes the request stale."""
    row = _locked(request.object_id)
    return {"version": row.version if row else 0}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved change. Days that counted the cover after its new last day are reopened."""
    entry = entry_of(request.payload["cover"])
    row = _locked(request.object_id)
    assert row is not None  # a cover is never deleted
    before, after = difference(standing(row), entry)
    row.valid_to, row.review_on = entry.valid_to, entry.review_on
    row.version += 1
    row.changed_at, row.approval_id = clock.now(), request.id
    session().flush()
    audit.record(
        "treasuryCover.changed", by=by, object_type=OBJECT, object_id=row.id, before=before,
        after={**after, "version": row.version}, reason=request.reason,
    )  # fmt: skip
    if entry.valid_to is None:
        return
    for counting in _learned:
        reopen_all(
            counting(row.id, entry.valid_to), because="A cover that was counted had ended before.", by=by
        )  # fmt: skip
