"""GL-01, GL-03, GL-05, GL-07, GL-09, GL-11, GL-13 to GL-15 and GL-21: a client's own accounts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app

from dashboard import notifier
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid, NotFound
from dashboard.ledger.account_dto import (
    OfferedCurrencies,
    OwnAccountDto,
    OwnAccountList,
    SentDto,
    VerifiedDto,
    own_account_dto,
)
from dashboard.ledger.account_schemas import (
    AccountNumberPath,
    ChangeBody,
    OwnAccountPath,
    OwnAccountsQuery,
    OwnOpenBody,
    ReorderBody,
    SendBody,
    VerifyBody,
)
from dashboard.ledger.api.blueprint import FRONT_OFFICE, ledger_operations
from dashboard.ledger.queries import accounts as queries
from dashboard.ledger.services import accounts, one_time_passwords, own_accounts
from dashboard.ledger.services.one_time_passwords import Operation
from dashboard.ledger.vocabulary import AccountStatus
from dashboard.web.api import documented_errors, listed
from dashboard.web.json import iso_utc
from dashboard.web.paging import LARGEST_PAGE_SIZE, Position, seal, unseal

CHANGES = documented_errors(404, 409, 413, 415, 422)


def _owner() -> UUID:
    """The client that the token speaks for. Raises NotFound for a token of none."""
    client_id = current_actor().client_id
    if client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return client_id


@ledger_operations.post(
    "/Accounts", tags=FRONT_OFFICE, summary="Open an own account",
    description="At balance zero, with a new IBAN. Refusals: 422 `currencyNotOffered` (see GET"
    " /BaasProvider/available-currencies), `clientClosed`, `tooManyAccounts`.",
    operation_id="openOwnAccount", responses={200: OwnAccountDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def open_own_account(body: OwnOpenBody) -> dict[str, Any]:
    owner_id = _owner()
    with transaction():
        opened = own_accounts.open_own(body.currency, alias=body.alias, owner_id=owner_id, by=current_actor())
        return own_account_dto(queries.own(opened.id, owner_id=owner_id))


@ledger_operations.get(
    "/Accounts", tags=FRONT_OFFICE, summary="Own accounts with balances",
    description="In the client's own order, then as they were opened.",
    operation_id="listOwnAccounts", responses={200: OwnAccountList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def list_own_accounts(query: OwnAccountsQuery) -> dict[str, Any]:
    owner_id = _owner()
    if query.page_number and query.cursor:
        raise Invalid.one("pageNumber", "Give a page number or a cursor, not both.", "notAllowed")
    bound = {"list": "GL-03", "owner": str(owner_id), "hidden": query.include_hidden, "status": query.status}
    position = unseal(query.cursor, bound=bound)
    page = queries.own_list(
        owner_id,
        hidden=query.include_hidden,
        status=query.status,
        size=query.page_size,
        after=position.key if position else None,
        skip=((query.page_number or 1) - 1) * query.page_size,
    )
    following = seal(Position(queries.own_key(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = None
    if query.include_total or query.page_number:
        total = queries.own_count(owner_id, hidden=query.include_hidden, status=query.status)
    return listed([own_account_dto(account) for account in page.rows], following, total)


@ledger_operations.patch(
    "/Accounts/<uuid:id>", tags=FRONT_OFFICE, summary="Rename or hide an own account",
    operation_id="changeOwnAccount", responses={200: OwnAccountDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def change_own_account(path: OwnAccountPath, body: ChangeBody) -> dict[str, Any]:
    owner_id = _owner()
    with transaction():
        accounts.change(
            path.id,
            rename="alias" in body.model_fields_set,
            alias=body.alias,
            hidden=body.hidden if "hidden" in body.model_fields_set else None,
            owner_id=owner_id,
            by=current_actor(),
        )
        return own_account_dto(queries.own(path.id, owner_id=owner_id))


@ledger_operations.get(
    "/Accounts/<uuid:id>", tags=FRONT_OFFICE, summary="Own account by identifier",
    operation_id="readOwnAccount", responses={200: OwnAccountDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def read_own_account(path: OwnAccountPath) -> dict[str, Any]:
    return own_account_dto(queries.own(path.id, owner_id=_owner()))


@ledger_operations.get(
    "/Accounts/<accountNumber>", tags=FRONT_OFFICE, summary="Own account by account number (IBAN)",
    description="Spaces and small letters do not matter.",
    operation_id="readOwnAccountByNumber", responses={200: OwnAccountDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def read_own_account_by_number(path: AccountNumberPath) -> dict[str, Any]:
    return own_account_dto(queries.own_by_number(path.account_number, owner_id=_owner()))


@ledger_operations.delete(
    "/Accounts/<uuid:id>", tags=FRONT_OFFICE, summary="Close an own account (zero balance only)",
    description="For good. Needs a one-time password for the operation `closeAccount` on this account, sent by POST"
    " /Accounts/send-otp, verified by POST /Accounts/otp-verification, and used within its 5 minutes: else 403"
    " `oneTimePasswordRequired`. Refusals: 409 `accountClosed`, 422 `balanceNotZero`, `livePayments`,"
    " `accountFrozen`; the password stays good for another try.",
    operation_id="closeOwnAccount", responses={200: OwnAccountDto, **documented_errors(404, 409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def close_own_account(path: OwnAccountPath) -> dict[str, Any]:
    owner_id = _owner()
    with transaction():
        own_accounts.close_own(path.id, owner_id=owner_id, by=current_actor())
        return own_account_dto(queries.own(path.id, owner_id=owner_id))


@ledger_operations.post(
    "/Accounts/send-otp", tags=FRONT_OFFICE, summary="Send a one-time password for a protected account operation",
    description="Six digits to the client's e-mail address, good for 5 minutes and 5 tries. At most 5 in 15 minutes:"
    " 429 with `Retry-After`. Refusals: 422 `noAddress`, `accountClosed`; 503 `deliveryFailed`, and the code is dead.",
    operation_id="sendOneTimePassword",
    responses={200: SentDto, **documented_errors(404, 409, 413, 415, 422, 429, 503)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def send_one_time_password(body: SendBody) -> dict[str, Any]:
    owner_id, by = _owner(), current_actor()
    operation = Operation(body.operation)
    # in a transaction of its own, also where the request's is held open for an Idempotency-Key: a message leaves the
    # house only for a code that stands, and no lock waits for a mail server
    with current_app.app_context(), transaction():
        subject = own_accounts.to_close(body.account_id, owner_id=owner_id)
        issued = one_time_passwords.issue(operation, subject, owner_id=owner_id)
    notifier.current().send(issued.message)
    with transaction():
        one_time_passwords.delivered(issued.id, by=by)
    return {
        "id": str(issued.id),
        "operation": operation.value,
        "accountId": str(body.account_id),
        "expiresAt": iso_utc(issued.expires_at),
    }


@ledger_operations.post(
    "/Accounts/otp-verification", tags=FRONT_OFFICE, summary="Verify a one-time password",
    description="Refusals: 422 `wrongCode` (`triesLeft` tells how many are left), `codeExpired`, `noTriesLeft`,"
    " `codeAlreadyUsed`; 404 `oneTimePasswordNotFound`.",
    operation_id="verifyOneTimePassword", responses={200: VerifiedDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def verify_one_time_password(body: VerifyBody) -> dict[str, Any]:
    owner_id = _owner()
    with transaction():
        outcome = one_time_passwords.verify(
            Operation.CLOSE_ACCOUNT, body.id, body.code, owner_id=owner_id, by=current_actor()
        )
    # the try is counted and stays so
    if isinstance(outcome, DomainError):
        raise outcome
    return {
        "id": str(outcome.id),
        "operation": outcome.operation,
        "accountId": str(outcome.subject_id),
        "expiresAt": iso_utc(outcome.expires_at),
        "verifiedAt": iso_utc(outcome.verified_at),
    }


@ledger_operations.put(
    "/Accounts/reorder-accounts", tags=FRONT_OFFICE, summary="Set the display order of own accounts",
    description="Names every open account exactly once, hidden ones too. Answers the open accounts in their new order.",
    operation_id="reorderOwnAccounts", responses={200: OwnAccountList, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def reorder_own_accounts(body: ReorderBody) -> dict[str, Any]:
    owner_id = _owner()
    with transaction():
        accounts.reorder(body.account_ids, owner_id=owner_id, by=current_actor())
        page = queries.own_list(owner_id, hidden=True, status=AccountStatus.OPEN, size=LARGEST_PAGE_SIZE)
    return listed([own_account_dto(account) for account in page.rows], None)


@ledger_operations.get(
    "/BaasProvider/available-currencies", tags=FRONT_OFFICE, summary="Currencies the providers offer",
    description="In which an account can be opened, each with the providers that keep its money.",
    operation_id="listOfferedCurrencies", responses={200: OfferedCurrencies, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.ACCOUNTS_OWN)
def list_offered_currencies() -> dict[str, Any]:
    offered = queries.offered_currencies()
    return listed([{"currency": currency, "providers": names} for currency, names in offered.items()], None)
