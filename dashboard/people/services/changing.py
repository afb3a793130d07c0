"""Another role and letting somebody in again take two people; keeping somebody out takes one, at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import QUEUE, ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.people.services import inviting
from dashboard.people.services.standing import may_give, reason_of, require_administrator, state_of
from dashboard.queues import services as queues
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember

CHANGE_ROLE, ENABLE = "staff.changeRole", "staff.enable"


def _another(member_id: UUID, by: Actor) -> StaffMember:
    if require_administrator(by) == member_id:
        raise Refused("This is about you: another administrator does it.", code="aboutYourself")
    return staff.locked(member_id)


def ask_to_change_role(member_id: UUID, *, role: Role, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for another role of a colleague. Raises Forbidden, NotFound, Invalid, Conflict `alreadyRequested`, Refused
    `aboutYourself`, `nothingChanges`, `memberDisabled`, `lastAdministrator`, `lastSecondPerson`, `lastRuleKeeper`."""
    member = _another(member_id, by)
    if member.disabled_at is not None:
        raise Refused(f"{member.name} cannot sign in. Let them in again first.", code="memberDisabled")
    if member.role == role:
        raise Refused(f"{member.name} has this role already. Nothing would change.", code="nothingChanges")
    staff.refuse_if_needed(member, becomes=role)
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
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the member: any change of role or state makes the request stale."""
    return state_of(staff.locked(request.object_id))


def execute_role(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved role. All sessions of the member end, and what they may no longer ask or hold:
    requests, invitations, tokens that took two people. Raises Refused `lastAdministrator`, `lastSecondPerson`,
    `lastRuleKeeper`."""
    member = staff.locked(request.object_id)
    before, gave = member.role, may_give(member)
    role = Role(request.payload["role"])
    with staff.keeping_two(member, becomes=role):
        member.role = role.value
        member.role_approval_id = request.id
    end_asking(member, by)
    # whoever managed staff knows the secrets of their own tokens
    revoked = staff.revoke_tokens(member, by_two_only=True) if gave and not may_give(member) else []
    ended = staff.end_sessions(member)
    audit.record(
        "staff.role_changed", by=by, object_type="staff_member", object_id=member.id, before={"role": before},
        after={"role": member.role, "sessions_ended": ended, **({"tokens_revoked": revoked} if revoked else {})},
        reason=request.reason,
    )  # fmt: skip


def end_asking(member: StaffMember, by: Actor) -> None:
    """What somebody who left or was lowered asked and may ask no more is closed; who may no longer invite takes their
    invitations with them. Requests that they took wait for everybody again, and all other work of who left."""
    if not may_give(member):
        inviting.end_those_of(member, by=by)
    approvals.close_those_of(member)
    queues.release_those_of(member.id, by=by, among=None if member.disabled_at is not None else (QUEUE,))


def disable(member_id: UUID, *, reason: str, by: Actor) -> StaffMember:
    """Keep a colleague out, at once: sessions end, tokens that they answer for are revoked, what they asked ends.

    Raises Forbidden, NotFound, Invalid, Conflict `alreadyDisabled`, Refused `aboutYourself`, `lastAdministrator`,
    `lastSecondPerson`, `lastRuleKeeper`.
    """
    why = reason_of(reason)
    member = _another(member_id, by)
    return staff.disable(member.email, by=by, reason=why)


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
        by=by,
    )


def execute_enable(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved return. Sessions and tokens of before stay ended."""
    member = staff.locked(request.object_id)
    member.disabled_at = None
    member.enabling_approval_id = request.id
    session().flush()
    audit.record(
        "staff.enabled", by=by, object_type="staff_member", object_id=member.id, after={"role": member.role},
        reason=request.reason,
    )  # fmt: skip
