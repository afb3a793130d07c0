"""The owner in the ledger and the accounts of one client."""

from __future__ import annotations

from random import Random

from dashboard.clients.vocabulary import ClientType, Scope, Status
from dashboard.home.demo_data.chart import pool_of
from dashboard.home.demo_data.histories import CORE, Story
from dashboard.home.demo_data.holdings import CURRENCIES, FROZEN_CREDITS, FROZEN_DEBITS, PROVIDERS, Holdings
from dashboard.home.demo_data.rows import identifier, moment
from dashboard.ledger import numbers
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import Money
from dashboard.treasury.vocabulary import Pool

MOST = 3
#: numbers below belong to the house's own accounts
FIRST_NUMBER = 101
_OWN_CURRENCY = {"PL": "pln", "GB": "gbp"}
_ALIASES = ("Salary", "Savings", "Travel", "Rent", "Holiday fund")
_COMPANY_ALIASES = ("Operations", "Payroll", "Suppliers", "Taxes", "Card takings")
_MINUTE = 60_000
#: before a block is placed the last payments have long been posted
_CALM = 120 * _MINUTE
_FOREVER = 1 << 60


def number_after(clients: int) -> int:
    """What the sequence of account numbers gives next, after so many clients."""
    return FIRST_NUMBER + clients * MOST


def write(story: Story, holdings: Holdings, number: int) -> None:
    """Client `number` becomes an owner; most that were activated have accounts."""
    debits, credits, blocked = _freeze(story)
    closed = Status.CLOSED.value in (story.status, story.status_before)
    story.sheets.add("account_owner", story.id, debits, credits, blocked, closed)
    random = story.random
    if story.activated_at is None or (number and random.random() < 0.06):
        return
    company = story.type == ClientType.COMPANY
    first = _OWN_CURRENCY.get(story.profile.country, "eur")
    others = [currency for currency in CURRENCIES if currency != first]
    count = 2 if number == 0 else random.choices((1, 2, 3), (50, 34, 16) if company else (72, 23, 5))[0]
    currencies = [first, *random.sample(others, count - 1)]
    if count > 1 and random.random() < 0.2:
        currencies[-1] = first
    provider = 0 if random.random() < 0.7 else 1
    until = min(at for at in (story.closed_at, story.blocked_from, story.days.end) if at is not None)
    opened = story.activated_at + int((1 + random.random() * 25) * _MINUTE)
    ordered = count > 1 and random.random() < 0.3
    for order, currency in enumerate(currencies):
        if order:
            opened += int(max(0, until - opened - 20 * _MINUTE) * random.random())
        closing = _closing(story, random, opened, until, extra=order > 0)
        limit = 5_000_000 if company and closing is None and random.random() < 0.02 else 0
        account = identifier(opened, random)
        names = _COMPANY_ALIASES if company else _ALIASES
        story.sheets.add(
            "account", account, story.id, AccountType.CLIENT.value, numbers.made(FIRST_NUMBER + number * MOST + order),
            currency, random.choice(names) if random.random() < 0.35 else None, order + 1 if ordered else None,
            random.random() < 0.02, AccountStatus.CLOSED.value if closing else AccountStatus.OPEN.value,
            PROVIDERS[provider], None, False, moment(opened), moment(closing) if closing else None,
        )  # fmt: skip
        # without a row an account's money is e-money
        if (pool := pool_of(currency)) is not Pool.E_MONEY:
            story.sheets.add("account_pool", account, pool.value, moment(opened))
        _tell(story, account, opened, closing, currency, limit, PROVIDERS[provider])
        holdings.put(
            account,
            owners=number,
            currencies=CURRENCIES.index(currency),
            providers=provider,
            companies=company,
            opened=opened,
            closed=closing or 0,
            quiet_from=max(story.blocked_from - _CALM, 1) if story.blocked_from else 0,
            quiet_until=(story.blocked_until or _FOREVER) if story.blocked_from else 0,
            limits=limit,
            blocked=blocked.get(currency, 0),
            frozen=FROZEN_DEBITS * debits + FROZEN_CREDITS * credits,
        )


def _freeze(story: Story) -> tuple[bool, bool, dict[str, int]]:
    """What the standing blocks mean for the accounts (clients.services.freeze)."""
    scopes = {block.scope for block in story.standing}
    amount = sum(block.amount for block in story.standing)
    return bool(scopes & {Scope.ALL, Scope.DEBIT}), bool(scopes & {Scope.ALL, Scope.CREDIT}), (
        {"eur": amount} if amount else {}
    )  # fmt: skip


def _closing(story: Story, random: Random, opened: int, until: int, *, extra: bool) -> int | None:
    """When the account was closed: just before its client was, or of its own, which happens to second ones."""
    if story.closed_at is not None:
        return max(story.closed_at - 10 * _MINUTE, opened + _MINUTE)
    if not extra or random.random() > 0.1:
        return None
    first, last = story.days.first_after(opened) + 1, story.days.first_after(until) - 1
    if last < first:
        return None
    return story.days.working_moment(first + int(random.random() * (last - first + 1)), random.random())


def _tell(
    story: Story, account: str, opened: int, closing: int | None, currency: str, limit: int, provider: str
) -> None:
    after = {"type": AccountType.CLIENT.value, "currency": currency, "overdraftLimit": str(Money(limit, currency)),
             "provider": provider}  # fmt: skip
    story.tell_of(opened, "account.opened", CORE, object_type="account", object_id=account, after=after)
    if closing is not None:
        story.tell_of(closing, "account.closed", CORE, object_type="account", object_id=account)
