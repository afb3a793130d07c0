"""Files of opening balances, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import Account, OpeningImport, OpeningRow
from dashboard.ledger.queries.parties import parties
from dashboard.money import Money


@dataclass(frozen=True)
class ImportView:
    """A file with its request. `owed` are the positive amounts of each currency; the negative ones are as much."""

    id: UUID
    file_name: str
    sha256: str
    rows: int
    accounts: dict[str, int]
    owed: list[Money]
    state: str
    created_at: datetime
    created_by: str
    closed_at: datetime | None
    request_id: UUID
    request_state: str
    maker_id: UUID
    reason: str
    decider: str | None
    decision_reason: str | None
    expires_at: datetime

    @property
    def standing(self) -> str:
        """posted, dropped, waiting, or why nobody will decide it any more: rejected, withdrawn, expired, stale."""
        if self.state != "read":
            return self.state
        if self.request_state == "requested":
            return "waiting" if self.expires_at > clock.now() else "expired"
        return self.request_state


_COLUMNS = (
    sa.select(
        OpeningImport.id, OpeningImport.file_name, OpeningImport.sha256, OpeningImport.rows, OpeningImport.totals,
        OpeningImport.state, OpeningImport.created_at, OpeningImport.created_by, OpeningImport.closed_at,
        ApprovalRequest.id.label("request_id"), ApprovalRequest.state.label("request_state"), ApprovalRequest.maker_id,
        ApprovalRequest.reason, ApprovalRequest.decider_name, ApprovalRequest.decision_reason,
        ApprovalRequest.expires_at,
    ).join(ApprovalRequest, ApprovalRequest.id == OpeningImport.approval_id)
)  # fmt: skip


def _view(row: Any) -> ImportView:
    return ImportView(
        id=row.id,
        file_name=row.file_name,
        sha256=row.sha256,
        rows=row.rows,
        accounts={code: int(said["accounts"]) for code, said in sorted(row.totals.items())},
        owed=[Money(int(said["credits"]), code) for code, said in sorted(row.totals.items())],
        state=row.state,
        created_at=row.created_at,
        created_by=row.created_by,
        closed_at=row.closed_at,
        request_id=row.request_id,
        request_state=row.request_state,
        maker_id=row.maker_id,
        reason=row.reason,
        decider=row.decider_name,
        decision_reason=row.decision_reason,
        expires_at=row.expires_at,
    )


def imports(*, limit: int, before: UUID | None = None, after: UUID | None = None) -> list[ImportView]:
    """Files, newest first: those older than one, or the nearest newer ones."""
    if after is not None:
        rows = session().execute(_COLUMNS.where(OpeningImport.id > after).order_by(OpeningImport.id).limit(limit))
        return [_view(row) for row in rows][::-1]
    query = _COLUMNS if before is None else _COLUMNS.where(OpeningImport.id < before)
    return [_view(row) for row in session().execute(query.order_by(OpeningImport.id.desc()).limit(limit))]


def one(import_id: UUID) -> ImportView:
    """Raises NotFound."""
    row = session().execute(_COLUMNS.where(OpeningImport.id == import_id)).first()
    if row is None:
        raise NotFound("There is no such file of opening balances.", code="importNotFound")
    return _view(row)


@dataclass(frozen=True)
class RowView:
    """`name`: the client who owns the account, or what the house keeps it for."""

    line: int
    account_id: UUID
    number: str
    name: str
    account_type: str
    money: Money


_ROWS = sa.select(
    OpeningRow.import_id, OpeningRow.line, Account.id, Account.number, Account.type, OpeningRow.amount_minor,
    OpeningRow.currency,
).join(Account, Account.id == OpeningRow.account_id)  # fmt: skip


def _row_views(query: sa.Select[*tuple[Any, ...]]) -> list[tuple[UUID, RowView]]:
    """Rows with the file that each is of; owners of all of them are read at once."""
    found = session().execute(query).all()
    owners = parties(row.id for row in found)
    return [
        (
            row.import_id,
            RowView(row.line, row.id, row.number, owners[row.id].name, row.type, Money(row.amount_minor, row.currency)),
        )
        for row in found
    ]


def rows(import_id: UUID, *, limit: int, before: int | None = None, after: int | None = None) -> list[RowView]:
    """Rows of a file in its order: those after a line, or the nearest before one."""
    query = _ROWS.where(OpeningRow.import_id == import_id)
    if before is not None:
        query = query.where(OpeningRow.line < before).order_by(OpeningRow.line.desc())
    else:
        query = query.where(OpeningRow.line > (after or 0)).order_by(OpeningRow.line)
    found = [row for _, row in _row_views(query.limit(limit))]
    return found[::-1] if before is not None else found


def rows_of(import_ids: Sequence[UUID]) -> dict[UUID, list[RowView]]:
    """All rows of several files, by file. For files that are known to be short."""
    found: dict[UUID, list[RowView]] = {import_id: [] for import_id in import_ids}
    if found:
        query = _ROWS.where(OpeningRow.import_id.in_(import_ids)).order_by(OpeningRow.import_id, OpeningRow.line)
        for import_id, row in _row_views(query):
            found[import_id].append(row)
    return found
