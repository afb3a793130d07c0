"""GL-16: a client's own transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.errors import Invalid, NotFound
from dashboard.ledger.api.blueprint import FRONT_OFFICE, ledger_operations
from dashboard.ledger.queries import transactions as queries
from dashboard.ledger.queries.filters import Leaf, known_of
from dashboard.ledger.queries.transactions import Order
from dashboard.ledger.transaction_dto import OwnTransactionList, own_transaction_dto
from dashboard.ledger.transaction_schemas import FARTHEST, OwnTransactionQuery, checked_leaf
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal


def _chosen(asked: OwnTransactionQuery, own: tuple[UUID, ...]) -> Leaf:
    """The filter within the client's accounts. Raises NotFound for an account of somebody else."""
    if asked.account_id is not None and asked.account_id not in own:
        raise NotFound("There is no such account.", code="accountNotFound")
    within = (asked.account_id,) if asked.account_id is not None else own
    chosen = checked_leaf(asked)
    if asked.side == "debit":
        return replace(chosen, accounts=None, debtors=within)
    if asked.side == "credit":
        return replace(chosen, accounts=None, creditors=within)
    return replace(chosen, accounts=within)


@ledger_operations.get(
    "/Transactions", tags=FRONT_OFFICE, summary="Own transactions by filter",
    description="Of the client's own accounts only, open and closed ones. Nothing is told of the other side.",
    operation_id="listOwnTransactions", responses={200: OwnTransactionList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def list_own_transactions(query: OwnTransactionQuery) -> dict[str, Any]:
    client_id = current_actor().client_id
    if client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    number = query.page_number
    if number and query.cursor:
        raise Invalid.one("pageNumber", "Give a page number or a cursor, not both.", "notAllowed")
    skip = ((number or 1) - 1) * query.page_size
    if skip >= FARTHEST:
        raise Invalid.one("pageNumber", f"Page numbers reach {FARTHEST:,} rows; go on with nextCursor.", "range")
    own = known_of(Leaf(owners=(client_id,))).accounts_of((client_id,))
    chosen, order = _chosen(query, own), Order("created", query.direction == "desc")
    asked = query.model_dump(
        mode="json", exclude_unset=True, exclude={"cursor", "page_size", "page_number", "include_total"}
    )
    bound = {"list": "GL-16", "client": str(client_id), "asked": asked}
    position = unseal(query.cursor, bound=bound)
    page = queries.find(
        chosen, order=order, size=query.page_size, after=position.key if position else None, skip=skip
    )  # fmt: skip
    following = seal(Position(page.rows[-1].key(order)), bound=bound) if page.more and page.rows else None
    total = queries.count(chosen, order=order) if query.include_total or number else None
    return listed([own_transaction_dto(row, own) for row in page.rows], following, total)
