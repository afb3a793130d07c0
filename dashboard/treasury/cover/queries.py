"""Reading covers: all of them, those that count on a day, one with its history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.treasury.cover.models import Cover, CoverVersion


def every() -> Sequence[Cover]:
    """By pool and currency, the latest to begin first."""
    return (
        session()
        .scalars(
            sa.select(Cover)
            .order_by(Cover.pool, Cover.currency, Cover.valid_from.desc(), Cover.id)
            .execution_options(populate_existing=True)
        )
        .all()
    )


def one(cover_id: UUID) -> Cover:
    """Raises NotFound `coverNotFound`."""
    found = session().get(Cover, cover_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such cover.", code="coverNotFound")
    return found


@dataclass(frozen=True)
class Counted:
    """A cover as it counts on a day. `amount` in minor units."""

    cover_id: UUID
    version: int
    kind: str
    issuer: str
    reference: str
    amount: int
    valid_from: date
    valid_to: date | None
    review_on: date


def _counted(row: Cover | CoverVersion, cover_id: UUID) -> Counted:
    return Counted(
        cover_id, row.version, row.kind, row.issuer, row.reference, row.amount_minor, row.valid_from, row.valid_to,
        row.review_on,
    )  # fmt: skip


def on(day: date) -> dict[tuple[str, str], list[Counted]]:
    """What counts on a day as the register stands now, by pool and currency. What has expired by then is left out."""
    found: dict[tuple[str, str], list[Counted]] = {}
    for row in session().scalars(
        sa.select(Cover)
        .where(Cover.valid_from <= day, sa.or_(Cover.valid_to.is_(None), Cover.valid_to >= day))
        .order_by(Cover.issuer, Cover.reference, Cover.id)
        .execution_options(populate_existing=True)
    ):
        found.setdefault((row.pool, row.currency), []).append(_counted(row, row.id))
    return found


def versions(wanted: Collection[tuple[UUID, int]]) -> Mapping[tuple[UUID, int], Counted]:
    """These versions, as they stood."""
    if not wanted:
        return {}
    rows = session().scalars(
        sa.select(CoverVersion).where(sa.tuple_(CoverVersion.cover_id, CoverVersion.version).in_(list(wanted)))
    )
    return {(row.cover_id, row.version): _counted(row, row.cover_id) for row in rows}


@dataclass(frozen=True)
class Change:
    """A version with who asked and who approved it; None where it came with the installation."""

    version: CoverVersion
    request: ApprovalRequest | None


def history(cover_id: UUID) -> list[Change]:
    """Every version with its request, newest first."""
    rows = session().execute(
        sa.select(CoverVersion, ApprovalRequest)
        .outerjoin(ApprovalRequest, ApprovalRequest.id == CoverVersion.approval_id)
        .where(CoverVersion.cover_id == cover_id)
        .order_by(CoverVersion.version.desc())
    )
    return [Change(*row) for row in rows]
