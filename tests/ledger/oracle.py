"""A ledger in plain Python, one payment after the other: it says what the real one must answer, and hold, each time.

Written from the rules (docs/adr/0010), not from the SQL: no batches, no locks, no deltas. Amounts are minor units.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from dashboard.ledger.moving import Leg, Order


@dataclass
class Holding:
    """One account."""

    currency: str
    owner: UUID | None = None
    posted: int = 0
    held: int = 0
    limit: int = 0
    blocked: int = 0
    debits_frozen: bool = False
    credits_frozen: bool = False
    closed: bool = False

    @property
    def guarded(self) -> bool:
        return self.owner is not None

    @property
    def room(self) -> int:
        return self.posted - self.held - self.blocked + self.limit


@dataclass
class Made:
    """One payment."""

    order: Order
    state: str
    reversed_by: UUID | None = None


@dataclass
class Oracle:
    accounts: dict[UUID, Holding] = field(default_factory=dict)
    payments: dict[UUID, Made] = field(default_factory=dict)

    def standing(self, order: Order) -> UUID | None:
        """The living payment of the order's parent and purpose."""
        for payment_id, made in self.payments.items():
            other = made.order
            if made.state not in ("canceled", "error") and (other.parent_type, other.parent_id, other.purpose) == (
                order.parent_type, order.parent_id, order.purpose,
            ):  # fmt: skip
                return payment_id
        return None

    def make(self, order: Order, to: str, *, follows: bool = False) -> str | None:
        """Make a payment; None, or the code of the refusal, and then nothing has changed."""
        if self.standing(order) is not None:
            return "paymentExists"
        code = self._walk(order.legs, "draft", to, follows)
        if code is None:
            self.payments[order.id] = Made(order, to)
        return code

    def advance(self, payment_id: UUID, to: str) -> str | None:
        made = self.payments[payment_id]
        allowed = {"draft": ("pending", "posted", "canceled", "error"), "pending": ("posted", "canceled", "error")}
        if to not in allowed.get(made.state, ()):
            return "invalidState"
        code = self._walk(made.order.legs, made.state, to, False)
        if code is None:
            made.state = to
        return code

    def reverse(self, payment_id: UUID, order: Order) -> str | None:
        """`order` mirrors the payment."""
        made = self.payments[payment_id]
        if made.state != "posted":
            return "notPosted"
        if made.order.reverses_id is not None:
            return "reversalOfReversal"
        if made.reversed_by is not None:
            return "alreadyReversed"
        code = self.make(order, "posted", follows=True)
        if code is None:
            made.reversed_by = order.id
        return code

    def batch(self, orders: Sequence[Order], *, all_or_none: bool) -> list[str | None]:
        """Each alone, in the order given; or none once one is refused."""
        before = copy.deepcopy((self.accounts, self.payments))
        codes: list[str | None] = []
        for order in orders:
            codes.append(self.make(order, "posted"))
            if all_or_none and codes[-1] is not None:
                self.accounts, self.payments = before
                return ["notDone"] * (len(codes) - 1) + [codes[-1]] + ["notDone"] * (len(orders) - len(codes))
        return codes

    def close(self, account_id: UUID) -> str | None:
        holding = self.accounts[account_id]
        if holding.closed:
            return "accountClosed"
        if holding.debits_frozen or holding.credits_frozen or holding.blocked:
            return "accountFrozen"
        for made in self.payments.values():
            if made.state in ("draft", "pending") and any(
                account_id in (leg.debtor_id, leg.creditor_id) for leg in made.order.legs
            ):
                return "livePayments"
        if holding.posted or holding.held:
            return "balanceNotZero"
        holding.closed = True
        return None

    def freeze(self, owner: UUID, *, debits: bool, credits: bool, blocked: dict[str, int]) -> None:
        for holding in self.accounts.values():
            if holding.owner == owner:
                holding.debits_frozen, holding.credits_frozen = debits, credits
                holding.blocked = blocked.get(holding.currency, 0)

    def _walk(self, legs: Sequence[Leg], source: str, to: str, follows: bool) -> str | None:
        """The whole payment, or nothing of it."""
        before = {id: copy.copy(self.accounts[id]) for leg in legs for id in (leg.debtor_id, leg.creditor_id)
                  if id in self.accounts}  # fmt: skip
        for leg in legs:
            code = self._step(leg, source, to, follows)
            if code is not None:
                self.accounts.update(before)
                return code
        return None

    def _step(self, leg: Leg, source: str, to: str, follows: bool) -> str | None:
        debtor, creditor = self.accounts.get(leg.debtor_id), self.accounts.get(leg.creditor_id)
        if debtor is None:
            return "debtorNotFound"
        if creditor is None:
            return "creditorNotFound"
        if debtor is creditor:
            return "sameAccount"
        if debtor.currency != leg.currency:
            return "debtorCurrencyMismatch"
        if creditor.currency != leg.currency:
            return "creditorCurrencyMismatch"
        if to in ("canceled", "error"):
            if source == "pending" and debtor.guarded:
                debtor.held -= leg.amount_minor
            return None
        if debtor.closed:
            return "debtorClosed"
        if creditor.closed:
            return "creditorClosed"
        if to == "draft":
            return None
        if source == "pending":
            # it follows what happened at the bank: no freeze, no limit
            if debtor.guarded:
                debtor.held -= leg.amount_minor
        else:
            if debtor.debits_frozen and not follows:
                return "debtorFrozen"
            if creditor.credits_frozen and not follows:
                return "creditorFrozen"
            if debtor.guarded and debtor.room < leg.amount_minor:
                return "insufficientFunds"
        if to == "pending":
            if debtor.guarded:
                debtor.held += leg.amount_minor
        else:
            debtor.posted -= leg.amount_minor
            creditor.posted += leg.amount_minor
        return None


def as_api(code: str | None) -> str | None:
    """The ledger's code as a caller of the API reads it: sides are told in `details`."""
    if code is None:
        return None
    for side in ("debtor", "creditor"):
        kind = code.removeprefix(side)
        if kind != code:
            return {"NotFound": "accountNotFound", "CurrencyMismatch": "currencyMismatch", "Closed": "accountClosed",
                    "Frozen": "accountFrozen"}[kind]  # fmt: skip
    return code
