"""How requests of a kind are decided, as the rules stand: until when, and by which roles.

Hours are read when somebody asks, and the request keeps its end. Roles are read when somebody decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.approvals import deadline
from dashboard.approvals.kinds import Kind
from dashboard.approvals.models import ApprovalRule
from dashboard.database import session

#: of the locks on a kind's rule, which are taken after those on people, object and request
_LOCK = 1885695090
#: whoever leaves, or gets another role, holds it (`staff_member_guard`)
_LEAVING = (1885695088, 1)


@dataclass(frozen=True)
class Terms:
    """The newest version of a kind's rule; version 0 without one.

    `hours`: None as the installation sets it. `deciders`: None where all decide whose role has the permission.
    """

    version: int = 0
    hours: int | None = None
    deciders: tuple[str, ...] | None = None
    approval_id: UUID | None = None

    @property
    def business_hours(self) -> int:
        """Business hours until a request that is made now expires."""
        return self.hours if self.hours is not None else deadline.business_hours()

    def roles(self, kind: Kind) -> tuple[Role, ...]:
        """Whose roles decide, juniors first: never one without the permission, whatever the rule says."""
        return tuple(role for role in kind.roles() if self.deciders is None or role in self.deciders)


AS_INSTALLED = Terms()


def _newest() -> sa.Subquery:
    return (
        sa.select(ApprovalRule)
        .distinct(ApprovalRule.kind)
        .order_by(ApprovalRule.kind, ApprovalRule.version.desc())
        .subquery()
    )


def _terms(row: ApprovalRule) -> Terms:
    deciders = None if row.deciders is None else tuple(row.deciders)
    return Terms(row.version, row.hours, deciders, row.approval_id)


def standing() -> Mapping[str, Terms]:
    """The rules that there are, by the key of their kind; one query for all."""
    newest = sa.orm.aliased(ApprovalRule, _newest())
    return {row.kind: _terms(row) for row in session().scalars(sa.select(newest))}


def of(kind_key: str) -> Terms:
    """The rule of one kind."""
    query = sa.select(ApprovalRule).where(ApprovalRule.kind == kind_key).order_by(ApprovalRule.version.desc()).limit(1)
    row = session().scalar(query)
    return _terms(row) if row is not None else AS_INSTALLED


def held(kind_key: str) -> Terms:
    """The rule of one kind, which stays as it is until the transaction ends."""
    session().execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_LOCK, sa.func.hashtext(kind_key))))
    return of(kind_key)


def locked(kind_key: str) -> Terms:
    """The rule of one kind, for whoever is about to change it: waits for decisions of this kind, which wait for it.
    And for whoever leaves, first: leaving closes requests, and who takes one of those waits for the rule."""
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(*_LEAVING)))
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(kind_key))))
    return of(kind_key)


def versions(kind_key: str) -> list[Terms]:
    """All versions of one kind's rule, the newest first."""
    query = sa.select(ApprovalRule).where(ApprovalRule.kind == kind_key).order_by(ApprovalRule.version.desc())
    return [_terms(row) for row in session().scalars(query)]


def closed_to(role: sa.ColumnElement[str]) -> sa.Select[str]:
    """Keys of the kinds whose rule leaves out this role, as a condition of a larger query takes them."""
    newest = _newest()
    # without roles of its own a rule leaves out nobody: null is not true
    return sa.select(newest.c.kind).where(role != sa.all_(newest.c.deciders))
