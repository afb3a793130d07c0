"""Who may still give power to others, and why somebody did something."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.services import LONGEST_REASON
from dashboard.errors import Forbidden, Invalid
from dashboard.staff.models import StaffMember


def reason_of(text: str | None) -> str:
    """Raises Invalid where nothing is said, or too much."""
    said = (text or "").strip()
    if not said:
        raise Invalid.one("reason", "Say why.", "required")
    if len(said) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return said


def require_administrator(by: Actor) -> UUID:
    """A person with the permission, and their id. Raises Forbidden: a token never gives or takes power."""
    by.require(Permission.STAFF_WRITE)
    if by.staff_id is None:
        raise Forbidden("Only a person does this.", code="humanDecisionRequired")
    return by.staff_id


def may_give(member: StaffMember) -> bool:
    """Whether this person may still invite and make tokens."""
    return member.disabled_at is None and Permission.STAFF_WRITE in member.role_row.permissions


def state_of(member: StaffMember) -> dict[str, Any]:
    """What a decision about a member must not find changed."""
    return {"role": member.role, "disabled": member.disabled_at is not None}
