"""GL-17 to GL-20: transactions by id, by filters, by a filter document, and as a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.idempotency import reads_only
from dashboard.access.permissions import Audience, Permission
from dashboard.ledger import transaction_report
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.dto import TransactionDto
from dashboard.ledger.queries import transactions as queries
from dashboard.ledger.queries.filters import Node
from dashboard.ledger.queries.transactions import Order
from dashboard.ledger.transaction_dto import TransactionList, transaction_dto
from dashboard.ledger.transaction_schemas import (
    ReportQuery,
    TransactionPath,
    TransactionQuery,
    TransactionQueryBody,
    checked_leaf,
    node_of,
    order_of,
)
from dashboard.web.api import Body, documented_errors, listed
from dashboard.web.exports import Format, Listing, about, answer
from dashboard.web.paging import Position, seal, unseal

ONCE = "Transactions that were there before the first page, and whose sort key does not change, come exactly once."
FILES: dict[str, Any] = {
    "description": "The file; the last line of CSV says how many rows there are.",
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
            "schema": {"type": "string", "format": "binary"}
        },
    },
}


def _said(asked: Body) -> dict[str, Any]:
    """What was asked for, without where one is in the list."""
    paging = {"cursor", "page_size", "include_total", "format"}
    return asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=paging)


def _listed(asked: TransactionQuery | TransactionQueryBody, node: Node, order: Order) -> dict[str, Any]:
    bound = {"list": "transactions", "asked": _said(asked)}
    position = unseal(asked.cursor, bound=bound)
    page = queries.find(node, order=order, size=asked.page_size, after=position.key if position else None)
    following = seal(Position(page.rows[-1].key(order)), bound=bound) if page.more and page.rows else None
    total = queries.count(node, order=order) if asked.include_total else None
    changes = queries.changes_of(row.payment_id for row in page.rows)
    return listed([transaction_dto(row, changes[row.payment_id]) for row in page.rows], following, total)


@ledger_operations.get(
    "/internal/Transactions/<uuid:id>", tags=SYSTEM, summary="Transaction by identifier",
    operation_id="readTransaction", responses={200: TransactionDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def read_transaction(path: TransactionPath) -> dict[str, Any]:
    row = queries.get(UUID(str(path.id)))
    return transaction_dto(row, queries.changes_of([row.payment_id])[row.payment_id])


@ledger_operations.get(
    "/internal/Transactions", tags=SYSTEM, summary="Transactions by simple filters",
    description=f"Filters combine. {ONCE}",
    operation_id="findTransactions", responses={200: TransactionList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def find_transactions(query: TransactionQuery) -> dict[str, Any]:
    node = checked_leaf(query)
    return _listed(query, node, order_of(query.sort, query.direction, node))


@ledger_operations.post(
    "/internal/Transactions/query", tags=SYSTEM, summary="Transactions by a filter document",
    description="`filter` is `{\"and\": […]}`, `{\"or\": […]}` or a leaf, whose conditions must all hold; groups stand"
    f" within groups. An error names its place: `filter.and.1.amountFrom`. {ONCE}",
    operation_id="queryTransactions", responses={200: TransactionList, **documented_errors(413, 415)},
)  # fmt: skip
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def query_transactions(body: TransactionQueryBody) -> dict[str, Any]:
    node = node_of(body.filter)
    return _listed(body, node, order_of(body.sort, body.direction, node))


@ledger_operations.get(
    "/internal/Transactions/report", tags=SYSTEM, summary="Transactions as a file (CSV or XLSX)",
    description="Everything that passes the filters, in the same order as the list. CSV has any number of rows; an"
    " XLSX that would have too many is refused: 422 `tooManyRows`.",
    operation_id="reportTransactions", responses={200: FILES, **documented_errors(422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def report_transactions(query: ReportQuery) -> Response:
    node = checked_leaf(query)
    order = order_of(query.sort, query.direction, node)
    filters = [(name, str(said)) for name, said in _said(query).items()]
    listing = Listing(
        about("Transactions", filters=filters, by=current_actor().name), transaction_report.columns(names=False)
    )
    return answer(
        listing,
        lambda: transaction_report.rows(node, order=order, names=False),
        Format(query.format),
        bom=False,
    )
