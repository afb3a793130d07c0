"""Resetting a colleague's second factor or password: one administrator asks, another senior person decides.

Neither of the two is the person whom it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import Conflict, Forbidden, NotFound
from dashboard.staff import password_resets, second_factor
from dashboard.staff import services as members
from dashboard.staff.models import StaffMember

#: of a higher package, which has the verb
CHANGE_ROLE = "staff.changeRole"
RESET_FACTOR = "staff.resetFactor"
RESET_PASSWORD = "staff.resetPassword"  # noqa: S105


def _about_another(member_id: UUID, by: Actor) -> StaffMember:
    by.require(Permission.STAFF_WRITE)
    if member_id in {by.id, by.owner_id}:
        raise Forbidden("Ask a colleague: nobody resets their own.", code="aboutYourself")
    member = members.locked(member_id)
    if member.disabled_at is not None:
        raise Conflict("This person may not sign in, so there is nothing to reset.", code="disabled")
    return member


def ask_reset_factor(member_id: UUID, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to take a lost second factor away. Raises NotFound, Forbidden (one's own, or without `staff:write`), Conflict
    (there is none, the person is disabled, or it was asked already), Invalid (no reason)."""
    member = _about_another(member_id, by)
    if second_factor.live_factor(member.id) is None:
        raise Conflict("This person has no second factor.", code="noSecondFactor")
    return services.request(
        RESET_FACTOR,
        object_type="staff_member",
        object_id=member.id,
        client_id=None,
        subject=member.name,
        payload={},
        before={"second factor": "on"},
        after={"second factor": "off", "sessions": "end"},
        reason=reason,
        restricted=False,
        by=by,
    )


def ask_reset_password(member_id: UUID, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to take a password away, so that the person chooses a new one. Raises as `ask_reset_factor`."""
    member = _about_another(member_id, by)
    return services.request(
        RESET_PASSWORD,
        object_type="staff_member",
        object_id=member.id,
        client_id=None,
        subject=member.name,
        payload={},
        before={"password": "stands"},
        after={"password": "chosen anew", "sessions": "end"},
        reason=reason,
        restricted=False,
        by=by,
    )


def _factor_print(request: ApprovalRequest) -> dict[str, Any]:
    member = members.locked(request.object_id)
    factor = second_factor.live_factor(member.id)
    return {"factor": str(factor) if factor else None, "disabled": member.disabled_at is not None}


def _password_print(request: ApprovalRequest) -> dict[str, Any]:
    member = members.locked(request.object_id)
    return {"changed": member.password_changed_at.isoformat(), "disabled": member.disabled_at is not None}


def _reset_factor(request: ApprovalRequest, by: Actor) -> None:
    second_factor.reset(request.object_id, approval_id=request.id, reason=request.reason, by=by)


def _reset_password(request: ApprovalRequest, by: Actor) -> None:
    password_resets.take_away(request.object_id, approval_id=request.id, reason=request.reason, by=by)


def role_turned_since(staff_id: UUID, since: datetime) -> bool:
    """Whether two people gave the person another role since."""
    found = sa.select(ApprovalRequest.id).where(
        ApprovalRequest.object_id == staff_id,
        ApprovalRequest.kind == CHANGE_ROLE,
        ApprovalRequest.state == "approved",
        ApprovalRequest.closed_at > since,
    )
    return session().scalar(found.limit(1)) is not None


def code_path(request_id: UUID) -> str:
    """Where who asked and who approved make the codes that they hand over."""
    return f"/staff/resets/{request_id}"


def _details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    found = {}
    for request in requests:
        lines: tuple[Line, ...] = ()
        links: tuple[Link, ...] = ()
        if request.kind == RESET_PASSWORD:
            second = request.decider_name or "who approves"
            said = f"{request.maker_name} and {second} each hand over a code for a new one"
            lines = (Line("Afterwards", (said,)),)
            if request.state == "approved" and actor.id in {request.maker_id, request.decided_by}:
                links = (Link("Code to hand over", code_path(request.id)),)
        found[request.id] = Detail("", lines, links)
    return found


def _closed(request: ApprovalRequest) -> str | None:
    if request.state == "stale":
        what = "second factor" if request.kind == RESET_FACTOR else "password"
        return f"This request has gone stale: the {what} of {request.subject} changed meanwhile. Nothing was changed."
    if request.state == "approved" and request.kind == RESET_PASSWORD:
        return (
            f"The password of {request.subject} opens nothing any more. {request.maker_name} and"
            f" {request.decider_name} each hand over a code for a new one."
        )
    return None


KINDS = (
    Kind(
        RESET_FACTOR,
        "Reset the second factor of",
        Permission.STAFF_DECIDE,
        _factor_print,
        _reset_factor,
        done="Reset the second factor of",
        noun="Reset of a second factor",
        details=_details,
        closed=_closed,
        asked_with=Permission.STAFF_WRITE,
    ),
    Kind(
        RESET_PASSWORD,
        "Reset the password of",
        Permission.STAFF_DECIDE,
        _password_print,
        _reset_password,
        done="Reset the password of",
        noun="Reset of a password",
        details=_details,
        closed=_closed,
        asked_with=Permission.STAFF_WRITE,
    ),
)


def approved_reset(request_id: UUID, by: Actor) -> ApprovalRequest:
    """The approved request of which this person hands over a code. Raises NotFound for everybody but who asked and who
    approved."""
    request = session().get(ApprovalRequest, request_id)
    if (
        request is None
        or request.kind != RESET_PASSWORD
        or request.state != "approved"
        or by.staff_id is None
        or by.staff_id not in {request.maker_id, request.decided_by}
    ):
        raise NotFound("There is no such reset.")
    return request


def make_code(request_id: UUID, by: Actor) -> str:
    """This person's code of the two by which a new password is chosen; shown once. Who asked never gets the one of who
    approved, nor the other way round. Raises NotFound, Conflict (not needed)."""
    request = approved_reset(request_id, by)
    if request.maker_id == by.staff_id:
        return password_resets.make_code(request.id, by=by)
    return password_resets.make_countersign(request.id, by=by)
