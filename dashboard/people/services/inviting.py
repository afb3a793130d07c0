"""Inviting: asked by an administrator, approved by a second person, accepted once by a link that lives for 72 hours.

A link that is e-mailed to the invited address is seen by nobody here. One that is shown could be used by whoever made
it, so it counts only together with the joining code, which who approved makes and hands over.
"""

from __future__ import annotations

import secrets
import unicodedata
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Refused
from dashboard.people.models import StaffInvitation
from dashboard.people.services.standing import may_give, reason_of, require_administrator, state_of
from dashboard.staff import countersigns
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember

INVITE = "staff.invite"
LINK_LIVES = timedelta(hours=72)
LONGEST_NAME = 100
LONGEST_ADDRESS = 254
#: with a digest of the address: one at a time asks or decides about it
_LOCK = 0x696E7669


def _one_at_a_time(key: str) -> None:
    session().execute(
        sa.text("SELECT pg_advisory_xact_lock(:kind, :key)"),
        {"kind": _LOCK, "key": zlib.crc32(key.encode()) - 2**31},
    )


def checked_name(name: str, *, field: str = "name") -> str:
    """One line, spaces tidied. Raises Invalid."""
    said = " ".join(name.split())
    if not 0 < len(said) <= LONGEST_NAME:
        raise Invalid.one(field, f"Use 1 to {LONGEST_NAME} characters.", "length")
    if any(unicodedata.category(letter).startswith("C") for letter in said):
        raise Invalid.one(field, "Leave out control characters.", "characters")
    return said


def ask_to_invite(*, name: str, email: str, role: Role, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to let somebody join. Raises Forbidden, Invalid, Conflict `emailTaken`, `alreadyRequested`."""
    require_administrator(by)
    errors: list[FieldError] = []
    said = address = ""
    try:
        said = checked_name(name)
    except Invalid as refusal:
        errors += refusal.errors
    try:
        address = staff.checked_address(email.strip())
        if len(address) > LONGEST_ADDRESS:
            raise Invalid.one("email", f"Use at most {LONGEST_ADDRESS} characters.", "tooLong")
    except Invalid as refusal:
        errors += refusal.errors
    if errors:
        raise Invalid(errors)
    key = address.lower()
    _one_at_a_time(key)
    if staff.address_taken(address):
        raise Conflict("There is a staff member with this address already.", code="emailTaken")
    waiting = session().scalar(
        sa.select(ApprovalRequest.id).where(
            ApprovalRequest.kind == INVITE,
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > clock.now(),
            ApprovalRequest.payload["emailKey"].astext == key,
        )
    )
    if waiting is not None:
        raise Conflict("An invitation of this address waits for a decision already.", code="alreadyRequested",
                       details={"requestId": str(waiting)})  # fmt: skip
    return approvals.request(
        INVITE,
        object_type="staff_invitation",
        object_id=new_id(),
        client_id=None,
        subject=said,
        payload={"name": said, "email": address, "emailKey": key, "role": role.value},
        before={"Role": "no account"},
        after={"Role": ROLES[role].label},
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The address is free, and who asked is who they were."""
    _one_at_a_time(request.payload["emailKey"])
    return {
        "taken": staff.address_taken(request.payload["email"]),
        "maker": [state_of(member) for member in staff.held({request.maker_id}).values()],
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved invitation; one that was open for this address before is over."""
    said = request.payload
    before = session().scalar(
        sa.select(StaffInvitation).where(*still_open(), StaffInvitation.email_key == said["emailKey"]).with_for_update()
    )
    if before is not None:
        _end(before, "replaced", by=by)
    session().add(
        StaffInvitation(
            id=request.object_id,
            email=said["email"],
            email_key=said["emailKey"],
            name=said["name"],
            role=said["role"],
            invited_by=request.maker_id,
            approval_id=request.id,
            created_at=clock.now(),
        )
    )
    session().flush()
    audit.record(
        "staff.invited", by=by, object_type="staff_invitation", object_id=request.object_id,
        after={"role": said["role"]}, reason=request.reason,
    )  # fmt: skip


def still_open() -> list[sa.ColumnElement[bool]]:
    """Neither accepted nor ended; its link may be over."""
    return [StaffInvitation.accepted_at.is_(None), StaffInvitation.ended_at.is_(None)]


def _end(invitation: StaffInvitation, because: str, *, by: Actor, reason: str | None = None) -> None:
    invitation.ended_at = clock.now()
    invitation.ended_because = because
    session().flush()
    audit.record(
        "staff.invitation_ended", by=by, object_type="staff_invitation", object_id=invitation.id,
        after={"because": because}, reason=reason,
    )  # fmt: skip


def _locked(invitation_id: UUID) -> StaffInvitation:
    invitation = session().get(StaffInvitation, invitation_id, with_for_update=True, populate_existing=True)
    if invitation is None:
        raise NotFound("There is no such invitation.")
    if invitation.accepted_at is not None:
        raise Conflict(f"{invitation.name} has accepted this invitation already.", code="invitationOver")
    if invitation.ended_at is not None:
        raise Conflict("This invitation is over. Ask for a new one.", code="invitationOver")
    return invitation


def who_approved(invitation: StaffInvitation) -> tuple[UUID, str]:
    """Id and name of the second person of the invitation: they alone make its joining code."""
    request = session().get_one(ApprovalRequest, invitation.approval_id)
    assert request.decided_by is not None and request.decider_name is not None  # it was approved
    return request.decided_by, request.decider_name


def make_link(invitation_id: UUID, *, mailed: bool, by: Actor) -> tuple[StaffInvitation, str]:
    """A fresh secret for the link, which is not stored; the link before is over. `mailed`: it goes to the invited
    address and is shown to nobody, so that it counts alone.

    Raises Forbidden, NotFound, Conflict `invitationOver`, `inviterGone`, Refused `linkByAnother` (a link that is shown,
    to who makes the joining code).
    """
    maker = require_administrator(by)
    asked_by = session().scalar(sa.select(StaffInvitation.invited_by).where(StaffInvitation.id == invitation_id))
    people = staff.held({asked_by})
    invitation = _locked(invitation_id)
    if not all(may_give(member) for member in people.values()):
        raise Conflict("Who asked for this invitation may no longer invite. Ask for a new one.", code="inviterGone")
    if not mailed and maker == who_approved(invitation)[0]:
        raise Refused(
            "You approved this invitation and hand over its joining code, so another administrator makes the link.",
            code="linkByAnother",
        )
    secret = secrets.token_urlsafe(32)
    again = invitation.secret_hash is not None
    invitation.secret_hash = staff.digest(secret)
    invitation.link_by = maker
    invitation.link_mailed = mailed
    invitation.link_expires_at = clock.now() + LINK_LIVES
    session().flush()
    audit.record(
        "staff.invitation_link", by=by, object_type="staff_invitation", object_id=invitation.id,
        after={
            "until": invitation.link_expires_at.isoformat(),
            "goes": "by e-mail alone" if mailed else "to who made it",
            **({"replaces": "the link before"} if again else {}),
        },
    )  # fmt: skip
    return invitation, secret


def make_joining_code(invitation_id: UUID, *, by: Actor) -> tuple[StaffInvitation, str]:
    """A fresh code that who approved hands over, in place of one made before; stored nowhere.

    Raises Forbidden (anybody else, also who made the link), NotFound, Conflict `invitationOver`.
    """
    by.require(Permission.STAFF_DECIDE)
    invitation = _locked(invitation_id)
    decider, name = who_approved(invitation)
    if by.staff_id != decider:
        raise Forbidden(f"Only {name}, who approved this invitation, sees its joining code.", code="notWhoApproved")
    code = countersigns.make(invitation, by=decider, until=clock.now() + LINK_LIVES)
    session().flush()
    audit.record(
        "staff.joining_code", by=by, object_type="staff_invitation", object_id=invitation.id,
        after={"until": (clock.now() + LINK_LIVES).isoformat()},
    )  # fmt: skip
    return invitation, code


def withdraw(invitation_id: UUID, *, reason: str, by: Actor) -> StaffInvitation:
    """One administrator takes it back at once. Raises Forbidden, Invalid, NotFound, Conflict."""
    require_administrator(by)
    why = reason_of(reason)
    invitation = _locked(invitation_id)
    _end(invitation, "withdrawn", by=by, reason=why)
    return invitation


def end_those_of(member: StaffMember, *, by: Actor) -> int:
    """Who may no longer invite has no open invitations; gives how many ended."""
    theirs = session().scalars(
        sa.select(StaffInvitation)
        .where(*still_open(), sa.or_(StaffInvitation.invited_by == member.id, StaffInvitation.link_by == member.id))
        .order_by(StaffInvitation.id)
        .with_for_update()
    )
    found = theirs.all()
    for invitation in found:
        _end(invitation, "inviterGone", by=by)
    return len(found)


def _no_longer_valid() -> NotFound:
    # unknown, used, replaced, withdrawn, too old: all alike
    return NotFound(
        "This invitation is not valid, or no longer. Ask an administrator for a new link.", code="invitationNotValid"
    )


def by_secret(secret: str, *, lock: bool = False) -> StaffInvitation:
    """The open invitation behind a link. Raises NotFound for every other secret alike."""
    query = sa.select(StaffInvitation).where(StaffInvitation.secret_hash == staff.digest(secret))
    invitation = session().scalar(query)
    if invitation is not None and lock:
        # people first, as everywhere: who is being disabled takes their invitations with them
        staff.held({invitation.invited_by, invitation.link_by, invitation.countersign_by})
        invitation = session().scalar(query.with_for_update().execution_options(populate_existing=True))
    if (
        invitation is None
        or invitation.accepted_at is not None
        or invitation.ended_at is not None
        or invitation.link_expires_at is None
        or invitation.link_expires_at <= clock.now()
    ):
        raise _no_longer_valid()
    givers = {invitation.invited_by, invitation.link_by} - {None}
    # who approved need not be one who invites, but a joining code does not outlive who made it either
    hands = givers | ({invitation.countersign_by} - {None})
    for member in session().scalars(sa.select(StaffMember).where(StaffMember.id.in_(hands))):
        if member.disabled_at is not None or (member.id in givers and not may_give(member)):
            raise _no_longer_valid()
    return invitation


def begin_attempt(secret: str, *, password: str) -> datetime | None:
    """Count one try at the joining code before it is looked at; the caller commits. An e-mailed link needs no code.

    Gives the end of the pause that it brings should it fail. Raises NotFound, Invalid (the password; nothing is
    counted), countersigns.Paused.
    """
    invitation = by_secret(secret, lock=True)
    staff.check_password(password, email=invitation.email, field="new")
    return None if invitation.link_mailed else countersigns.begin_try(invitation)


def tell_refusal(secret: str, *, locked: datetime | None, address: str | None, request_id: str | None) -> None:
    """Evidence of a joining code that was wrong or tried during a pause, by somebody who has the link."""
    invitation_id = session().scalar(
        sa.select(StaffInvitation.id).where(StaffInvitation.secret_hash == staff.digest(secret))
    )
    audit.record(
        "staff.joining_code_refused", by=replace(system("invitation"), address=address, request_id=request_id),
        object_type="staff_invitation", object_id=invitation_id,
        after={"locked_until": locked.isoformat()} if locked else None,
    )  # fmt: skip


def accept(secret: str, *, code: str, password: str, address: str | None, request_id: str | None) -> StaffMember:
    """The invited person makes their account; the link is used up. The caller has committed `begin_attempt`.

    Raises NotFound, Invalid (password), countersigns.Wrong naming `code` (unless the link was e-mailed), Conflict.
    """
    invitation = by_secret(secret, lock=True)
    if not invitation.link_mailed:
        countersigns.check(invitation, code, field="code")
    member = staff.join(
        email=invitation.email, role=Role(invitation.role), password=password, name=invitation.name,
        address=address, request_id=request_id,
    )  # fmt: skip
    invitation.accepted_at = clock.now()
    invitation.member_id = member.id
    session().flush()
    audit.record(
        "staff.invitation_accepted", by=staff.actor_of(member, address=address, request_id=request_id),
        object_type="staff_invitation", object_id=invitation.id, after={"member": str(member.id)},
    )  # fmt: skip
    return member
