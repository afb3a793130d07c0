"""Opening, renaming, ordering and closing accounts; freezing those of an owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import constraint_of, new_id, session
from dashboard.errors import Conflict, FieldError, Invalid, NotFound, Refused
from dashboard.ledger import numbers
from dashboard.ledger.models import Account, AccountBalance, AccountOwner, BankAccount, LedgerTransaction
from dashboard.ledger.services import days
from dashboard.ledger.vocabulary import SLOTS, AccountStatus, AccountType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money

LONGEST_ALIAS = 100
LONGEST_PROVIDER = 50
#: open accounts of one owner
MOST_ACCOUNTS = 100


def register_owner(owner_id: UUID) -> None:
    """Tell the ledger of a new owner. Telling twice changes nothing."""
    session().execute(sa.dialects.postgresql.insert(AccountOwner).values(owner_id=owner_id).on_conflict_do_nothing())


def _owner(owner_id: UUID) -> AccountOwner:
    """Locked, so that opening an account and freezing its owner come one after the other."""
    owner = session().scalar(
        sa.select(AccountOwner)
        .where(AccountOwner.owner_id == owner_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if owner is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return owner


def checked_alias(alias: str | None) -> str | None:
    """Trimmed; empty is none. Raises Invalid."""
    text = (alias or "").strip() or None
    if text is not None and len(text) > LONGEST_ALIAS:
        raise Invalid.one("alias", f"Use at most {LONGEST_ALIAS} characters.", "tooLong")
    return text


def open_account(
    *,
    type: AccountType,
    currency: str,
    owner_id: UUID | None = None,
    alias: str | None = None,
    provider: str | None = None,
    overdraft_limit_minor: int = 0,
    bank_account_id: UUID | None = None,
    standard: bool = False,
    by: Actor,
) -> Account:
    """Open an account at balance zero. An owner's freeze stands on it from the start.

    Raises Invalid, NotFound `clientNotFound`, Refused `clientClosed`, `tooManyAccounts`.
    """
    errors = []
    if (type is AccountType.CLIENT) != (owner_id is not None):
        sentence = "A client account needs its client." if owner_id is None else "Only client accounts have a client."
        errors.append(FieldError("clientId", sentence, "required" if owner_id is None else "notAllowed"))
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if not 0 <= overdraft_limit_minor <= LARGEST_MINOR_UNITS:
        errors.append(FieldError("overdraftLimit", "The limit must not be negative.", "range"))
    if overdraft_limit_minor and type is not AccountType.CLIENT:
        errors.append(FieldError("overdraftLimit", "Only client accounts have a limit.", "notAllowed"))
    if provider is not None and not 0 < len(provider.strip()) <= LONGEST_PROVIDER:
        errors.append(FieldError("provider", f"Use 1 to {LONGEST_PROVIDER} characters.", "tooLong"))
    if errors:
        raise Invalid(errors)
    wanted_alias = checked_alias(alias)
    owner = _owner(owner_id) if owner_id is not None else None
    if owner is not None:
        if owner.closed:
            raise Refused("The client is closed, or asked to be deleted: no account is opened.", code="clientClosed")
        standing = session().scalar(
            sa.select(sa.func.count())
            .select_from(Account)
            .where(Account.owner_id == owner_id, Account.status == AccountStatus.OPEN)
        )
        if (standing or 0) >= MOST_ACCOUNTS:
            raise Refused(f"The client has {MOST_ACCOUNTS} open accounts already.", code="tooManyAccounts")
    account = Account(
        id=new_id(),
        owner_id=owner_id,
        type=type.value,
        number=numbers.next_number(),
        currency=currency,
        alias=wanted_alias,
        hidden=False,
        status=AccountStatus.OPEN.value,
        provider=provider.strip() if provider else None,
        bank_account_id=bank_account_id,
        standard=standard,
        # an account belongs to a business day: the day's totals count it, or the next day's do
        created_at=days.moment_within_day(),
    )
    session().add(account)
    session().flush()
    guarded = type is AccountType.CLIENT
    blocked = int(owner.blocked_amounts.get(currency, 0)) if owner else 0
    session().execute(
        sa.insert(AccountBalance),
        [
            {
                "account_id": account.id,
                "slot": slot,
                "currency": currency,
                "guarded": guarded,
                "limit_minor": overdraft_limit_minor,
                "debits_frozen": owner.debits_frozen if owner else False,
                "credits_frozen": owner.credits_frozen if owner else False,
                "blocked_minor": blocked,
            }
            for slot in range(1 if guarded else SLOTS)
        ],
    )
    audit.record(
        "account.opened",
        by=by,
        object_type="account",
        object_id=account.id,
        client_id=owner_id,
        after={
            "type": type.value,
            "currency": currency,
            "overdraftLimit": str(Money(overdraft_limit_minor, currency)),
            "provider": account.provider,
        },
    )
    return account


def _locked(account_id: UUID, owner_id: UUID | None = None) -> Account:
    """Raises NotFound, also for an account of somebody else when `owner_id` is given."""
    account = session().scalar(
        sa.select(Account)
        .where(Account.id == account_id, *([Account.owner_id == owner_id] if owner_id else []))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if account is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    return account


def change(
    account_id: UUID,
    *,
    rename: bool = False,
    alias: str | None = None,
    hidden: bool | None = None,
    owner_id: UUID | None,
    by: Actor,
) -> Account:
    """Rename (with `rename`; an `alias` of None takes the name away) or hide.

    Raises NotFound, Invalid, Refused `accountClosed`.
    """
    account = _locked(account_id, owner_id)
    if account.status != AccountStatus.OPEN:
        raise Refused("The account is closed.", code="accountClosed")
    before = {"alias": account.alias, "hidden": account.hidden}
    if rename:
        account.alias = checked_alias(alias)
    if hidden is not None:
        account.hidden = hidden
    session().flush()
    after = {"alias": account.alias, "hidden": account.hidden}
    if before != after:
        audit.record("account.changed", by=by, object_type="account", object_id=account.id,
                     client_id=account.owner_id, before=before, after=after)  # fmt: skip
    return account


def reorder(account_ids: Sequence[UUID], *, owner_id: UUID, by: Actor) -> None:
    """Set the display order of all open accounts of an owner. Raises Invalid unless each is named exactly once."""
    _owner(owner_id)
    own = set(
        session().scalars(
            sa.select(Account.id).where(Account.owner_id == owner_id, Account.status == AccountStatus.OPEN)
        )
    )
    if len(set(account_ids)) != len(account_ids):
        raise Invalid.one("accountIds", "An account is named twice.", "duplicate")
    if set(account_ids) != own:
        raise Invalid.one("accountIds", "Name each open account of the client exactly once.", "complete")
    places = [{"id": account_id, "display_order": place} for place, account_id in enumerate(account_ids, 1)]
    if places:
        session().execute(sa.update(Account), places)
    audit.record("accounts.reordered", by=by, object_type="account_owner", object_id=owner_id, client_id=owner_id)


def close(account_id: UUID, *, owner_id: UUID | None = None, by: Actor) -> Account:
    """Close for good. Raises NotFound, Refused `balanceNotZero`, `livePayments`, `chartAccount`.

    Closing twice is a Conflict.
    """
    account = _locked(account_id, owner_id)
    if account.status == AccountStatus.CLOSED:
        raise Conflict("The account is closed already.", code="accountClosed")
    if account.standard or account.bank_account_id is not None:
        raise Refused("The house books to this account; it belongs to its chart.", code="chartAccount")
    stopped = session().scalar(
        sa.select(AccountBalance.account_id)
        .where(
            AccountBalance.account_id == account_id,
            AccountBalance.debits_frozen | AccountBalance.credits_frozen | (AccountBalance.blocked_minor > 0),
        )
        .limit(1)
    )
    if stopped is not None:
        # an order to hold the client's money reaches what comes in later, too
        raise Refused("A frozen account is not closed.", code="accountFrozen")
    live = session().scalar(
        sa.select(LedgerTransaction.id)
        .where(
            LedgerTransaction.state.in_(["draft", "pending"]),
            sa.or_(
                LedgerTransaction.debtor_account_id == account_id, LedgerTransaction.creditor_account_id == account_id
            ),
        )
        .limit(1)
    )
    if live is not None:
        raise Refused("A payment on the account is not finished yet.", code="livePayments")
    if not session().scalar(sa.text("SELECT close_account_balances(:account)"), {"account": account_id}):
        raise Refused("Only an account with balance zero and nothing held is closed.", code="balanceNotZero")
    account.status = AccountStatus.CLOSED.value
    account.closed_at = clock.now()
    try:
        session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "account_closes_without_live_payments":
            raise
        # it was made between the look and the locks
        raise Refused("A payment on the account is not finished yet.", code="livePayments") from None
    audit.record("account.closed", by=by, object_type="account", object_id=account.id, client_id=account.owner_id)
    return account


def freeze_owner(
    owner_id: UUID, *, debits: bool, credits: bool, blocked_amounts: Mapping[str, int], closed: bool = False
) -> int:
    """Let a freeze stand on all accounts of an owner, open and future ones; gives how many accounts it touched.

    `blocked_amounts`: currency to minor units that must stay on each account of that currency. The flags are written
    under the locks that payments take: whatever is posted after this transaction has seen them.
    """
    owner = _owner(owner_id)
    owner.debits_frozen, owner.credits_frozen, owner.closed = debits, credits, closed
    owner.blocked_amounts = dict(blocked_amounts)
    session().flush()
    rows = (
        session()
        .execute(
            sa.select(AccountBalance.account_id, AccountBalance.currency)
            .join(Account, Account.id == AccountBalance.account_id)
            .where(Account.owner_id == owner_id)
            .order_by(AccountBalance.account_id, AccountBalance.slot)
            .with_for_update(of=AccountBalance, key_share=True)
        )
        .all()
    )
    for account_id, currency in rows:
        session().execute(
            sa.update(AccountBalance)
            .where(AccountBalance.account_id == account_id)
            .values(debits_frozen=debits, credits_frozen=credits, blocked_minor=int(blocked_amounts.get(currency, 0)))
        )
    return len(rows)


#: system accounts of each bank account
CHART_OF_BANK_ACCOUNT = (AccountType.SETTLEMENT, AccountType.SUSPENSE, AccountType.IN_TRANSIT)
#: system accounts of each currency
CHART_OF_CURRENCY = (
    AccountType.FEES, AccountType.INCOME, AccountType.EXPENSE, AccountType.FX_POSITION, AccountType.RECEIVABLE,
    AccountType.OWN_FUNDS, AccountType.OPENING,
)  # fmt: skip


def register_bank_account(
    *, provider: str, name: str, number: str, currency: str, id: UUID | None = None, by: Actor
) -> BankAccount:
    """Register a bank account of the house and make its chart; the currency's own accounts too if it is the first.
    `id`: where it was known before the account was.

    Raises Invalid, Conflict `bankAccountExists`.
    """
    if currency not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here.", "enum")
    if session().scalar(
        sa.select(BankAccount.id).where(
            BankAccount.number == numbers.normalized(number), BankAccount.currency == currency
        )
    ):
        raise Conflict("This bank account is registered already.", code="bankAccountExists")
    bank = BankAccount(
        id=id or new_id(), provider=provider, name=name, number=numbers.normalized(number), currency=currency,
        created_at=clock.now(),
    )  # fmt: skip
    session().add(bank)
    session().flush()
    for type in CHART_OF_BANK_ACCOUNT:
        open_account(type=type, currency=currency, alias=f"{name} {currency.upper()}", provider=provider,
                     bank_account_id=bank.id, by=by)  # fmt: skip
    standing = set(
        session().scalars(sa.select(Account.type).where(Account.currency == currency, Account.standard.is_(True)))
    )
    for type in CHART_OF_CURRENCY:
        if type not in standing:
            open_account(type=type, currency=currency, standard=True, by=by)
    return bank


def standard_account(type: AccountType, currency: str) -> UUID:
    """The house's account of this type and currency. Raises Refused `noSystemAccount`."""
    found = session().scalar(
        sa.select(Account.id).where(
            Account.type == type.value, Account.currency == currency, Account.standard.is_(True)
        )
    )
    if found is None:
        raise Refused(f"There is no {type.value} account in {currency.upper()}.", code="noSystemAccount")
    return found
