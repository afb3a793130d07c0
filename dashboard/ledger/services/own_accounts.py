"""What a client does with its own accounts by itself, within what the institution offers."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.queries.accounts import offered_currencies
from dashboard.ledger.services import accounts, one_time_passwords
from dashboard.ledger.services.one_time_passwords import Operation, Subject
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import DECIMALS


def open_own(currency: str, *, alias: str | None, owner_id: UUID, by: Actor) -> Account:
    """Open a client account in a currency for which a provider's bank account stands.

    Raises Invalid, NotFound `clientNotFound`, Refused `currencyNotOffered`, `clientClosed`, `tooManyAccounts`.
    """
    if currency not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here.", "enum")
    offered = offered_currencies()
    if currency not in offered:
        raise Refused(
            f"Accounts in {currency.upper()} are not offered.",
            code="currencyNotOffered",
            details={"offered": list(offered)},
        )
    return accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=owner_id, alias=alias, by=by)


def to_close(account_id: UUID, *, owner_id: UUID) -> Subject:
    """An own account as the subject of a one-time password. Raises NotFound, Refused `accountClosed`."""
    account = session().scalar(sa.select(Account).where(Account.id == account_id, Account.owner_id == owner_id))
    if account is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    if account.status != AccountStatus.OPEN:
        raise Refused("The account is closed.", code="accountClosed")
    return Subject(
        id=account_id,
        title="Your code to close an account",
        deed=f"close the {account.currency.upper()} account ending in {account.number[-4:]}",
        alone="this account",
    )


def close_own(account_id: UUID, *, owner_id: UUID, by: Actor) -> Account:
    """Close an own account with its verified one-time password, which stays good when the closing is refused.

    Raises NotFound, Conflict `accountClosed`, Forbidden `oneTimePasswordRequired`, Refused `accountFrozen`,
    `livePayments`, `balanceNotZero`.
    """
    status = session().scalar(
        sa.select(Account.status)
        .where(Account.id == account_id, Account.owner_id == owner_id)
        .with_for_update(key_share=True)
    )
    if status is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    if status == AccountStatus.CLOSED:
        raise Conflict("The account is closed already.", code="accountClosed")
    one_time_passwords.use(Operation.CLOSE_ACCOUNT, account_id, owner_id=owner_id)
    frozen = session().scalar(
        sa.select(AccountBalance.debits_frozen | AccountBalance.credits_frozen | (AccountBalance.blocked_minor > 0))
        .where(AccountBalance.account_id == account_id)
        .with_for_update(key_share=True)
    )
    if frozen:
        # an order to hold the client's money reaches what comes in later as well, so the account stays
        raise Refused("The account cannot be closed now. Ask the institution.", code="accountFrozen")
    return accounts.close(account_id, owner_id=owner_id, by=by)
