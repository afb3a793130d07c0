"""Completing a periodic review: the risk is assessed again, and the next date follows from the risk that stands."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client, ClientBlock, ClientReview, ClientReviewPlan
from dashboard.clients.periods import in_words
from dashboard.clients.services.lock import locked
from dashboard.clients.services.plan import Limit, follow, leave_queue, limits
from dashboard.clients.services.risk import KIND as LOWER_RISK
from dashboard.clients.services.risk import ask_to_lower_risk, raise_risk
from dashboard.clients.services.unblock import ask_to_unblock
from dashboard.clients.vocabulary import BlockCode, Outcome, Risk, Status
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid, NotFound, Refused

LONGEST_REASONS = 4000


def latest_day(day: date, months: int) -> date:
    """`day` plus whole months, as PostgreSQL counts them: the last of the month where that day is none."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


def review_obstacle(client: Client) -> str | None:
    """Why this client is not reviewed, in words; None when it may be."""
    if Status.CLOSED in {client.status, client.status_before_block}:
        return "A closed client needs no review."
    return None


def restriction_of(plan: ClientReviewPlan | None) -> ClientBlock | None:
    """The block that a late review has placed, while it stands."""
    if plan is None or plan.restriction_block_id is None:
        return None
    block = session().get(ClientBlock, plan.restriction_block_id)
    return block if block is not None and block.lifted_at is None and block.code == BlockCode.KYC_EXPIRED else None


def _checked(reasons: str, outcome: str, risk_level: int) -> str:
    text = reasons.strip()
    if not text:
        raise Invalid.one("reasons", "Say what you found and why.", "required")
    if len(text) > LONGEST_REASONS:
        raise Invalid.one("reasons", f"Use at most {LONGEST_REASONS} characters.", "tooLong")
    if outcome not in set(Outcome):
        raise Invalid.one("outcome", "Choose what the review comes to.", "required")
    if risk_level not in set(Risk) or risk_level == Risk.NOT_SET:
        raise Invalid.one("riskLevel", "Choose the risk: low, medium, high or prohibited.", "required")
    return text


def _refuse_stale(client: Client, plan: ClientReviewPlan, version: int | None, last_review_id: UUID | None) -> None:
    if plan.last_review_id != last_review_id:
        newest = session().get(ClientReview, plan.last_review_id) if plan.last_review_id else None
        who = f" by {newest.reviewed_by_name}" if newest else ""
        raise Conflict(f"This client was reviewed meanwhile{who}.", code="reviewedMeanwhile")
    if version is not None and client.version != version:
        raise Conflict("This client was changed meanwhile.", code="changedMeanwhile")


def complete_review(
    client_id: UUID,
    *,
    risk_level: int,
    outcome: str,
    reasons: str,
    next_on: date | None = None,
    version: int | None = None,
    last_review_id: UUID | None = None,
    lift_restriction: bool = False,
    by: Actor,
) -> ClientReview:
    """Complete a review, early or late, also while blocks stand.

    A higher risk stands at once. A lower one is asked for (`client.lower-risk`): the review is completed with the
    risk that stands, and the date moves when two people have lowered it. `next_on` may be earlier than the period
    or a document allows, never later; None is the latest. `version` and `last_review_id` are what was seen.
    `lift_restriction` also asks to lift the block that the late review has placed: two people, as always.

    Raises NotFound, Refused (closed), Conflict (reviewed or changed meanwhile, a lower risk asked already), Invalid.
    """
    by.require(Permission.CLIENTS_REVIEW)
    text = _checked(reasons, outcome, risk_level)
    client = locked(client_id)
    obstacle = review_obstacle(client)
    if obstacle:
        raise Refused(obstacle, code="closed")
    assert by.staff_id is not None  # reviews are completed on a page
    plan = session().get(ClientReviewPlan, client_id, populate_existing=True) or follow(client, by=by)
    _refuse_stale(client, plan, version, last_review_id)
    risk_before, due_on, previous = client.risk_level, plan.next_on, plan.last_review_id
    if risk_level > client.risk_level:
        raise_risk(client, risk_level=risk_level, reason=text, cause="review", by=by)
    lowering = None
    if risk_level < client.risk_level:
        waiting = approvals.live(LOWER_RISK, client_id)
        if waiting is not None and waiting.expires_at > clock.now():
            raise Conflict(
                "A lower risk has been asked for already and waits for a decision. Decide or withdraw that first.",
                code="alreadyRequested", details={"requestId": str(waiting.id)},
            )  # fmt: skip
        lowering = ask_to_lower_risk(client_id, risk_level=risk_level, reason=text, by=by)
    today = calendar().today()
    # the present risk and people, as `follow` sees them
    follow(client, by=by)
    latest = latest_day(today, plan.period_months)
    bounds = limits(client, today)
    chosen = _next_day(next_on, today=today, latest=latest, months=plan.period_months, bounds=bounds)
    review = ClientReview(
        id=new_id(),
        client_id=client_id,
        previous_id=previous,
        reviewed_at=clock.now(),
        reviewed_on=today,
        reviewed_by=by.staff_id,
        reviewed_by_name=by.name,
        due_on=due_on,
        risk_before=risk_before,
        risk_assessed=risk_level,
        risk_after=client.risk_level,
        heightened=plan.heightened,
        outcome=outcome,
        reasons=text,
        period_months=plan.period_months,
        next_on=chosen,
        lowering_request_id=lowering.id if lowering else None,
    )
    session().add(review)
    session().flush()
    restriction = restriction_of(plan)
    leave_queue(plan, by=by)
    # a document that is renewed gives its time back; a day that somebody chose, or an expired document, does not
    plan.period_from, plan.chosen_on = today, _kept(next_on, latest=latest, bounds=bounds)
    plan.prohibited_on, plan.last_review_id = None, review.id
    session().flush()
    follow(client, by=by)
    audit.record(
        "review.completed",
        by=by,
        object_type="client_review",
        object_id=review.id,
        client_id=client_id,
        before={"next_review_date": due_on.isoformat()} if due_on else None,
        after={"next_review_date": plan.next_on.isoformat() if plan.next_on else None},
        restricted={"outcome": outcome, "reasons": text},
        at=review.reviewed_at,
    )
    if lift_restriction:
        if restriction is None:
            raise Conflict("The block of the late review does not stand any more.", code="alreadyLifted")
        ask_to_unblock(restriction.id, reason=text[:2000], by=by)
    return review


def _kept(wanted: date | None, *, latest: date, bounds: list[Limit]) -> date | None:
    held = next((one.day for one in bounds if one.held), None)
    days = [day for day in (wanted, held) if day is not None and day < latest]
    return min(days, default=None)


def _next_day(wanted: date | None, *, today: date, latest: date, months: int, bounds: list[Limit]) -> date:
    first = bounds[0] if bounds and bounds[0].day < latest else None
    if wanted is None:
        return first.day if first else latest
    if wanted <= today:
        raise Invalid.one("nextOn", "The next review lies in the future.", "range")
    if first and wanted > first.day:
        raise Invalid.one(
            "nextOn", f"The next review is due by {first.day.day} {first.day:%b %Y} or earlier: {first.why}.", "range"
        )
    if wanted > latest:
        raise Invalid.one(
            "nextOn",
            f"With the risk that stands the next review is due within {in_words(months)}:"
            f" {latest.day} {latest:%b %Y} or earlier.",
            "range",
        )
    return wanted


def review_of(client_id: UUID, review_id: UUID) -> ClientReview:
    """One completed review of this client. Raises NotFound, also for another client's."""
    found = session().scalar(
        sa.select(ClientReview).where(ClientReview.id == review_id, ClientReview.client_id == client_id)
    )
    if found is None:
        raise NotFound("There is no such review.")
    return found
