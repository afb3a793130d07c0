"""GL-02, GL-08, GL-10 and G2-01: accounts, for internal systems."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.idempotency import reads_only
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.ledger.account_dto import AccountDto, AccountList, account_dto
from dashboard.ledger.account_schemas import AccountPath, AccountQuery, OpenBody, SearchBody, limit_minor
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.queries import accounts as queries
from dashboard.ledger.queries.accounts import AccountFilter
from dashboard.ledger.services import accounts
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal

LISTED = "Newest first. Accounts that were there before the first page come exactly once."


def _found(said: SearchBody | AccountQuery) -> dict[str, Any]:
    chosen = AccountFilter(
        owner_ids=tuple(said.client_ids),
        types=tuple(said.types),
        currencies=tuple(said.currencies),
        statuses=tuple(said.statuses),
        text=said.text,
    )
    bound = {"list": "GL-10", "filter": chosen.as_json()}
    position = unseal(said.cursor, bound=bound)
    page = queries.find(chosen, size=said.page_size, after=UUID(position.key[0]) if position else None)
    following = seal(Position([str(page.rows[-1].id)]), bound=bound) if page.more else None
    total = queries.count(chosen) if said.include_total else None
    return listed([account_dto(account) for account in page.rows], following, total)


@ledger_operations.post(
    "/v2/internal/Accounts", tags=SYSTEM, summary="Open a client or system account",
    description="At balance zero, with a new IBAN. The freeze that stands on a client stands on the account from the"
    " start. Refusals: 404 `clientNotFound`, 422 `clientClosed`, `tooManyAccounts`.",
    operation_id="openAccount", responses={200: AccountDto, **documented_errors(404, 409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.ACCOUNTS_WRITE)
def open_account(body: OpenBody) -> dict[str, Any]:
    with transaction():
        opened = accounts.open_account(
            type=body.type,
            currency=body.currency,
            owner_id=body.client_id,
            alias=body.alias,
            provider=body.provider,
            overdraft_limit_minor=limit_minor(body.overdraft_limit, body.currency),
            by=current_actor(),
        )
        return account_dto(queries.get(opened.id))


@ledger_operations.get(
    "/v2/ledger/internal/Accounts/<uuid:accountId>", tags=SYSTEM, summary="Account by identifier",
    operation_id="readAccount", responses={200: AccountDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def read_account(path: AccountPath) -> dict[str, Any]:
    return account_dto(queries.get(path.account_id))


@ledger_operations.post(
    "/v2/ledger/internal/Accounts/search", tags=SYSTEM, summary="Find accounts by filters", description=LISTED,
    operation_id="searchAccounts", responses={200: AccountList, **documented_errors(413, 415)},
)  # fmt: skip
@reads_only
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def search_accounts(body: SearchBody) -> dict[str, Any]:
    return _found(body)


@ledger_operations.get(
    "/v2/ledger/internal/Accounts", tags=SYSTEM, summary="List accounts",
    description=f"The filters of POST /v2/ledger/internal/Accounts/search as parameters. {LISTED}",
    operation_id="listAccounts", responses={200: AccountList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def list_accounts(query: AccountQuery) -> dict[str, Any]:
    return _found(query)
