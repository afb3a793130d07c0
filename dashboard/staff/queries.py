"""Reading staff: sessions, and who is here now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.database import session
from dashboard.staff.models import SecondFactor, StaffMember, StaffSession


@dataclass(frozen=True)
class Person:
    """A staff member as others see them."""

    id: UUID
    name: str
    role: str
    role_label: str
    signed_in: bool


def own_sessions(staff_id: UUID, *, idle: timedelta) -> list[StaffSession]:
    """Sessions that still count, newest first."""
    return list(
        session().scalars(
            sa.select(StaffSession)
            .where(
                StaffSession.staff_id == staff_id,
                StaffSession.ended_at.is_(None),
                StaffSession.seen_at > clock.now() - idle,
            )
            .order_by(StaffSession.created_at.desc())
        )
    )


def with_second_factor(ids: Iterable[UUID]) -> set[UUID]:
    """Which of these people sign in with a second factor."""
    return set(
        session().scalars(
            sa.select(SecondFactor.staff_id).where(
                SecondFactor.staff_id.in_(list(ids)),
                SecondFactor.confirmed_at.is_not(None),
                SecondFactor.ended_at.is_(None),
            )
        )
    )


def names(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names by id, in one query."""
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return {}
    rows = session().execute(sa.select(StaffMember.id, StaffMember.name).where(StaffMember.id.in_(wanted)))
    return {row.id: row.name for row in rows}


def address_of(staff_id: UUID | None) -> str | None:
    """The e-mail address of a member who is not disabled."""
    if staff_id is None:
        return None
    return session().scalar(
        sa.select(StaffMember.email).where(StaffMember.id == staff_id, StaffMember.disabled_at.is_(None))
    )


def members_with(permission: Permission, *, senior_only: bool, idle: timedelta) -> list[Person]:
    """Members whose role has the permission, those signed in first."""
    roles = [role for role, row in ROLES.items() if permission in row.permissions and (row.senior or not senior_only)]
    return members_in(roles, idle=idle)


def roles_at_work() -> set[str]:
    """Roles that somebody has who is not disabled."""
    return set(session().scalars(sa.select(StaffMember.role).where(StaffMember.disabled_at.is_(None)).distinct()))


def members_in(roles: Iterable[Role], *, idle: timedelta) -> list[Person]:
    """Members of these roles who are not disabled, those signed in first."""
    here = (
        sa.select(StaffSession.staff_id)
        .where(StaffSession.ended_at.is_(None), StaffSession.seen_at > clock.now() - idle)
        .scalar_subquery()
    )
    signed_in = StaffMember.id.in_(here)
    rows = session().execute(
        sa.select(StaffMember, signed_in.label("signed_in"))
        .where(StaffMember.role.in_([role.value for role in roles]), StaffMember.disabled_at.is_(None))
        .order_by(signed_in.desc(), StaffMember.name)
    )
    return [
        Person(member.id, member.name, member.role, ROLES[Role(member.role)].label, bool(present))
        for member, present in rows
    ]
