"""Asking, deciding, withdrawing, expiring.

Locks are taken in one order everywhere: first people who ask and decide, in the order of their ids, then the object (by
the kind's fingerprint), then the request, then the rule of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.approvals import deadline, terms
from dashboard.approvals.kinds import kind_of, registered
from dashboard.approvals.models import QUEUE, ApprovalRequest
from dashboard.approvals.names import roles_in_words
from dashboard.approvals.terms import Terms
from dashboard.audit import services as audit
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.notifier import Message
from dashboard.queues import services as queues
from dashboard.staff import queries as staff
from dashboard.staff import services as members
from dashboard.staff.models import StaffMember

LONGEST_REASON = 2000
#: business hours before the end at which the maker is told
WARNED_HOURS = 2
#: after so long a word that was begun and not sent is begun again: who sent it was killed
SENDING_TAKES = timedelta(minutes=5)


def _tell(action: str, request: ApprovalRequest, *, by: Actor, reason: str | None, **change: Any) -> None:
    """One audit event; a reason that is restricted goes where only the permission sees it."""
    audit.record(
        # the actions of a hidden kind are others: what everybody may read is told by its name
        f"hidden-{action}" if kind_of(request.kind).hidden else action,
        by=by,
        object_type="approval_request",
        object_id=request.id,
        client_id=request.client_id,
        reason=None if request.restricted else reason,
        restricted={"reason": reason} if request.restricted and reason else None,
        **change,
    )


def _reason(text: str | None, *, field: str = "reason") -> str:
    reason = (text or "").strip()
    if not reason:
        raise Invalid.one(field, "Say why.", "required")
    if len(reason) > LONGEST_REASON:
        raise Invalid.one(field, f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return reason


def request(
    kind_key: str,
    *,
    object_type: str,
    object_id: UUID,
    client_id: UUID | None,
    subject: str,
    payload: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    reason: str,
    restricted: bool,
    by: Actor,
) -> ApprovalRequest:
    """Open a request, which ends when the rule of its kind says at this moment. The caller has locked the object.
    Raises Conflict while the same one is open, Invalid."""
    kind = kind_of(kind_key)
    why = _reason(reason)
    if by.id is None or by.kind == "system":
        raise Refused("Only a person or a token can ask.", code="makerUnknown")
    if by.kind == "staff":
        by.require(kind.permission)
    fresh = ApprovalRequest(
        kind=kind_key,
        object_type=object_type,
        object_id=object_id,
        client_id=client_id,
        subject=subject,
        state="requested",
        maker_kind=by.kind,
        maker_id=by.id,
        maker_name=by.name,
        maker_senior=by.senior and by.kind == "staff",
        maker_owner_id=by.owner_id,
        reason=why,
        restricted=restricted,
        payload=payload,
        before=before,
        after=after,
        fingerprint={},
        requested_at=clock.now(),
        expires_at=deadline.after(terms.of(kind_key).business_hours),
    )
    fresh.fingerprint = kind.fingerprint(fresh)
    expired = live(kind_key, object_id)
    if expired is not None and expired.expires_at <= clock.now():
        _close(expired, "expired", by=system("system"))
    try:
        with savepoint():
            session().add(fresh)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_approval_request_live":
            raise
        known = live(kind_key, object_id)
        raise Conflict(
            "This has been asked already and waits for a decision.",
            code="alreadyRequested",
            details={"requestId": str(known.id)} if known else {},
        ) from None
    _tell("approval.requested", fresh, by=by, reason=why, before=before, after=after)
    return fresh


def live(kind_key: str, object_id: UUID) -> ApprovalRequest | None:
    """The open request of this kind on this object."""
    return session().scalar(
        sa.select(ApprovalRequest).where(
            ApprovalRequest.kind == kind_key,
            ApprovalRequest.object_id == object_id,
            ApprovalRequest.state == "requested",
        )
    )


def why_not(request: ApprovalRequest, actor: Actor, rule: Terms | None = None) -> str | None:
    """Why this actor may not decide, in words; None when they may. `rule` of its kind, where the caller knows it."""
    if actor.kind != "staff":
        return "Only a person decides."
    if request.maker_id == actor.id:
        return "You asked; another person decides."
    if request.maker_owner_id is not None and request.maker_owner_id == actor.id:
        return "Your token asked; another person decides."
    if request.object_id == actor.id:
        return "This is about you; another person decides."
    kind = kind_of(request.kind)
    if not actor.may(kind.permission) or (kind.hidden and not actor.sees_restricted):
        return "Your role cannot decide this."
    rule = rule or terms.of(request.kind)
    if actor.role not in rule.roles(kind):
        return f"The rules of approval leave this to {roles_in_words(rule.roles(kind))}."
    if not actor.senior and not request.maker_senior:
        return "One of the two must be senior."
    return None


def _close(
    request: ApprovalRequest, state: str, *, by: Actor, reason: str | None = None, in_bulk: bool = False
) -> None:
    request.state = state
    request.closed_at = clock.now()
    request.decision_reason = reason
    if state in {"approved", "rejected"}:
        request.decided_by = by.id
        request.decider_name = by.name
        request.decider_senior = by.senior
    session().flush()
    queues.close_items(QUEUE, object_id=request.id, by=by)
    after = {"request": state, "inBulk": True} if in_bulk else {"request": state}
    _tell(f"approval.{state}", request, by=by, reason=reason, before={"request": "requested"}, after=after)
    reserved = kind_of(request.kind).closed_without
    if reserved is not None and state != "approved":
        reserved(request, by)


def _people(request: ApprovalRequest, by: Actor) -> dict[UUID, StaffMember]:
    """Who decides, who asked and who answers for a token that asked, held as they are now."""
    about = request.object_id if request.object_type == "staff_member" else None
    maker = request.maker_id if request.maker_kind == "staff" else None
    return members.held((by.staff_id, maker, request.maker_owner_id), changing=about)


def _locked(
    request_id: UUID, *, by: Actor | None = None
) -> tuple[ApprovalRequest, dict[str, Any], dict[UUID, StaffMember]]:
    """Lock the people (where somebody decides), the object, then the request; gives the request, the object's
    fingerprint of now, and the people."""
    unlocked = session().get(ApprovalRequest, request_id)
    if unlocked is None:
        raise NotFound("There is no such request.")
    people = _people(unlocked, by) if by is not None else {}
    print_now = kind_of(unlocked.kind).fingerprint(unlocked)
    locked = session().get(ApprovalRequest, request_id, with_for_update=True, populate_existing=True)
    assert locked is not None  # requests are never deleted
    if locked.state != "requested":
        if locked.state == "stale" and locked.decision_reason:
            # only the house closes with a reason and without a person; its sentence holds nothing restricted
            raise Conflict(locked.decision_reason, code="alreadyDecided", details={"state": locked.state})
        who = f" by {locked.decider_name}" if locked.decider_name else ""
        raise Conflict(f"This request is closed: {locked.state}{who}.", code="alreadyDecided",
                       details={"state": locked.state})  # fmt: skip
    return locked, print_now, people


def _lost_power(by: Actor, now: StaffMember | None) -> str | None:
    """Why a signed-in person decides no more, in words: they were somebody else when this began."""
    if by.kind == "staff" and (now is None or now.disabled_at is not None or now.role != by.role):
        return "Your role or account changed meanwhile. Sign in again."
    return None


def _asks_no_more(request: ApprovalRequest, asker: StaffMember | None) -> str | None:
    """Why a request has nobody behind it any more, in a sentence that everybody may read."""
    if asker is None:
        return "Nobody is known who asked for this."
    gone = f"{asker.name}, who asked, may no longer do so."
    if asker.disabled_at is not None:
        return gone
    if request.maker_kind != "staff":
        return None
    row, kind = asker.role_row, kind_of(request.kind)
    lowered = request.maker_senior and not row.senior
    return gone if lowered or (kind.asked_with or kind.permission) not in row.permissions else None


def decide(request_id: UUID, *, approve: bool, reason: str | None, by: Actor, in_bulk: bool = False) -> ApprovalRequest:
    """Approve or reject. The answer's state tells what became of it: also `expired` and `stale`, which the caller
    commits and shows. Raises NotFound, Conflict (closed meanwhile), Forbidden (not the person), Invalid
    (rejection without a reason), Refused `oneAtATime` (`in_bulk`, of a kind that is not bulk-safe), and whatever the
    verb refuses; then nothing has changed.
    """
    request, print_now, people = _locked(request_id, by=by)
    decider = people.get(by.staff_id) if by.staff_id else None
    refusal = why_not(request, by, terms.held(request.kind)) or _lost_power(by, decider)
    if refusal:
        raise Forbidden(refusal, code="mayNotDecide")
    if in_bulk and not kind_of(request.kind).bulk_safe:
        raise Refused("This kind of request is decided one at a time.", code="oneAtATime")
    if request.expires_at <= clock.now():
        _close(request, "expired", by=system("system"))
        return request
    if not approve:
        _close(request, "rejected", by=by, reason=_reason(reason), in_bulk=in_bulk)
        return request
    asker = request.maker_id if request.maker_kind == "staff" else request.maker_owner_id
    nobody = _asks_no_more(request, people.get(asker)) if asker is not None else None
    if nobody or request.fingerprint != print_now:
        _close(request, "stale", by=system("system"), reason=nobody)
        return request
    why = (reason or "").strip()[:LONGEST_REASON] or None
    _close(request, "approved", by=by, reason=why, in_bulk=in_bulk)
    kind_of(request.kind).execute(request, by)
    return request


def close_those_of(asker: StaffMember) -> int:
    """Close what a person, or a token of theirs, asked and may ask no more; gives how many. The person is locked, and
    their role and state are as they will be."""
    theirs = session().scalars(
        sa.select(ApprovalRequest)
        .where(
            ApprovalRequest.state == "requested",
            sa.or_(ApprovalRequest.maker_id == asker.id, ApprovalRequest.maker_owner_id == asker.id),
        )
        .order_by(ApprovalRequest.object_id, ApprovalRequest.id)
    )  # fmt: skip
    closed = 0
    for theirs_open in theirs.all():
        why = _asks_no_more(theirs_open, asker)
        if why is not None and _close_open(theirs_open, reason=why):
            closed += 1
    return closed


def _close_open(request: ApprovalRequest, *, reason: str) -> bool:
    """Close it as stale, unless somebody decided it at this moment."""
    if kind_of(request.kind).closed_without is not None:
        # what it reserved is given back: the object is locked before the request, as everywhere
        try:
            _locked(request.id)
        except Conflict:
            return False
    else:
        session().refresh(request, with_for_update=True)
    if request.state == "requested":
        _close(request, "stale", by=system("system"), reason=reason)
        return True
    return False


def withdraw(request_id: UUID, *, by: Actor) -> ApprovalRequest:
    """The maker takes it back. Raises NotFound, Conflict, Forbidden."""
    request, _, _ = _locked(request_id)
    if by.id is None or by.id not in {request.maker_id, request.maker_owner_id}:
        raise Forbidden("Only the person who asked can withdraw it.", code="notTheMaker")
    _close(request, "withdrawn", by=by)
    return request


def tell_refusal(request: ApprovalRequest, *, act: str, why: str, by: Actor) -> None:
    """Evidence of somebody who tried to decide and may not. The edge commits it after the refusal rolled back."""
    _tell("approval.refused", request, by=by, reason=None, after={"tried": act, "refused": why})


def close_as_stale(kind_key: str, object_id: UUID, *, reason: str | None = None) -> None:
    """The object is settled another way: an open request about it has nothing left to decide.

    `reason` is a sentence of the house that everybody may read: who comes to decide is told it.
    """
    request = live(kind_key, object_id)
    if request is not None:
        session().refresh(request, with_for_update=True)
        if request.state == "requested":
            _close(request, "stale", by=system("system"), reason=reason)


def expire_due(limit: int = 500) -> int:
    """Close requests whose time is over; gives how many. Safe to run several times at once."""
    due = (ApprovalRequest.state == "requested", ApprovalRequest.expires_at <= clock.now())
    reserving = [kind.key for kind in registered() if kind.closed_without is not None]
    by = system("system")
    closed = 0
    for request_ in (
        session()
        .scalars(
            sa.select(ApprovalRequest)
            .where(*due, ApprovalRequest.kind.not_in(reserving))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        .all()
    ):
        _close(request_, "expired", by=by)
        closed += 1
    # what these reserved is given back: their object is locked before them, as everywhere
    for request_id in (
        session()
        .scalars(
            sa.select(ApprovalRequest.id)
            .where(*due, ApprovalRequest.kind.in_(reserving))
            .order_by(ApprovalRequest.object_id)
            .limit(limit - closed)
        )
        .all()
    ):
        try:
            request_, _, _ = _locked(request_id)
        except Conflict:
            # decided at this very moment
            continue
        _close(request_, "expired", by=by)
        closed += 1
    return closed


def claim_words(limit: int = 100) -> Sequence[ApprovalRequest]:
    """Requests that end within two business hours and whose makers are still to be told; takes them for a while.

    Two who ask at once get different ones. The caller commits, sends, and says so with `told`: one that was killed
    before it had is followed by the next run, so that a word may come twice in that one case and is never lost.
    """
    moment = clock.now()
    near = clock.calendar().add_hours(moment, WARNED_HOURS)
    found = session().scalars(
        sa.select(ApprovalRequest)
        .where(
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > moment,
            ApprovalRequest.expires_at <= near,
            ApprovalRequest.told_at.is_(None),
            sa.or_(ApprovalRequest.warned_at.is_(None), ApprovalRequest.warned_at <= moment - SENDING_TAKES),
        )
        .order_by(ApprovalRequest.expires_at, ApprovalRequest.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()  # fmt: skip
    for request_ in found:
        request_.warned_at = moment
    session().flush()
    return found


def told(request_id: UUID) -> None:
    """The word has been sent, or there is nobody to send it to. A request that was closed meanwhile stays as it was."""
    session().execute(
        sa.update(ApprovalRequest)
        .where(ApprovalRequest.id == request_id, ApprovalRequest.state == "requested")
        .values(told_at=clock.now())
    )


def word_to_maker(request_: ApprovalRequest, *, until: str) -> Message | None:
    """The e-mail that says that the time is nearly over: no name of a client and no reason, for mail travels. None
    where nobody can be written to: a token without an owner, a member who is disabled. `until`: the end, in words.
    """
    address = staff.address_of(request_.maker_id if request_.maker_kind == "staff" else request_.maker_owner_id)
    if address is None:
        return None
    kind = kind_of(request_.kind)
    what = "A request" if kind.hidden or not kind.noun else f"A request ({kind.noun.lower()})"
    asked = "that you made" if request_.maker_kind == "staff" else "that your token made"
    return Message(
        to=address,
        subject="Your request expires soon",
        text=f"{what} {asked} expires on {until} unless a colleague decides it before.\n"
        f"It is under Approvals, Asked by me: /approvals/{request_.id}\n"
        "If it expires, nothing is changed and you can ask again.\n",
    )
