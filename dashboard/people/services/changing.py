"""Another role and letting somebody in again take two people; keeping somebody out takes one, at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import deadline
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.people.services import inviting
from dashboard.people.services.standing import reason_of, require_administrator, state_of
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember

CHANGE_ROLE, ENABLE = "staff.changeRole", "staff.enable"
#: what an administrator asks, and what is void once they may no longer ask
ASKED = (inviting.INVITE, CHANGE_ROLE, ENABLE, "tokens.create")


def _another(member_id: UUID, by: Actor) -> StaffMember:
    if require_administrator(by) == member_id:
        raise Refused("This is about you: another administrator does it.", code="aboutYourself")
    return staff.locked(member_id)


def ask_to_change_role(member_id: UUID, *, role: Role, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for another role of a colleague. Raises Forbidden, NotFound, Invalid, Conflict `alreadyRequested`, Refused
    `aboutYourself`, `nothingChanges`, `memberDisabled`, `lastAdministrator`."""
    member = _another(member_id, by)
    if member.disabled_at is not None:
        raise Refused(f"{member.name} cannot sign in. Let them in again first.", code="memberDisabled")
    if member.role == role:
        raise Refused(f"{member.name} has this role already. Nothing would change.", code="nothingChanges")
    if staff.is_last_administrator(member):
        raise Refused(f"{member.name} is the last active administrator. Make another one first.",
                      code="lastAdministrator")  # fmt: skip
    return approvals.request(
        CHANGE_ROLE,
        object_type="staff_member",
        object_id=member.id,
        client_id=None,
        subject=member.name,
        payload={"from": member.role, "role": role.value},
        before={"Role": member.role_row.label},
        after={"Role": ROLES[role].label},
        reason=reason,
        restricted=False,
        expires_at=deadline.from_now(),
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the member: any change of role or state makes the request stale."""
    return state_of(staff.locked(request.object_id))


def execute_role(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved role. All sessions of the member end. Raises Refused `lastAdministrator`."""
    member = staff.locked(request.object_id)
    before = member.role
    with staff.keeping_an_administrator(member):
        member.role = request.payload["role"]
    _ended_asking(member, by=by)
    ended = staff.end_sessions(member)
    audit.record(
        "staff.role_changed", by=by, object_type="staff_member", object_id=member.id, before={"role": before},
        after={"role": member.role, "sessions_ended": ended}, reason=request.reason,
    )  # fmt: skip


def _ended_asking(member: StaffMember, *, by: Actor) -> None:
    """Who may no longer invite takes their invitations and requests with them."""
    if member.disabled_at is None and Permission.STAFF_WRITE in member.role_row.permissions:
        return
    inviting.end_those_of(member, by=by)
    asked = session().execute(
        sa.select(ApprovalRequest.kind, ApprovalRequest.object_id).where(
            ApprovalRequest.maker_id == member.id,
            ApprovalRequest.state == "requested",
            ApprovalRequest.kind.in_(ASKED),
        )
    )
    for kind, object_id in asked.all():
        approvals.close_as_stale(kind, object_id, reason=f"{member.name}, who asked, may no longer do so.")


def disable(member_id: UUID, *, reason: str, by: Actor) -> StaffMember:
    """Keep a colleague out, at once: sessions end, tokens that they answer for are revoked, their invitations end.

    Raises Forbidden, NotFound, Invalid, Conflict `alreadyDisabled`, Refused `aboutYourself`, `lastAdministrator`.
    """
    why = reason_of(reason)
    member = _another(member_id, by)
    staff.disable(member.email, by=by, reason=why)
    _ended_asking(member, by=by)
    return member


def ask_to_enable(member_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to let a colleague in again. Raises Forbidden, NotFound, Invalid, Refused `aboutYourself`, Conflict."""
    member = _another(member_id, by)
    if member.disabled_at is None:
        raise Conflict(f"{member.name} can sign in. Nothing would change.", code="nothingChanges")
    return approvals.request(
        ENABLE,
        object_type="staff_member",
        object_id=member.id,
        client_id=None,
        subject=member.name,
        payload={"role": member.role},
        before={"Account": "disabled"},
        after={"Account": f"active, {member.role_row.label.lower()}"},
        reason=reason,
        restricted=False,
        expires_at=deadline.from_now(),
        by=by,
    )


def execute_enable(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved return. Sessions and tokens of before stay ended."""
    member = staff.locked(request.object_id)
    member.disabled_at = None
    session().flush()
    audit.record(
        "staff.enabled", by=by, object_type="staff_member", object_id=member.id, after={"role": member.role},
        reason=request.reason,
    )  # fmt: skip
