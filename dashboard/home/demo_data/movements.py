"""Ninety days of money: a walk through time over some of the accounts, which never spends what is not there.

Accounts are dealt to four shards, whatever the machine, and money moves between clients of one shard only: so shards
need nothing of one another, and the same plan always gives the same rows. What a shard keeps in memory grows with its
accounts and one day's payments, not with the length of history.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from random import Random
from zoneinfo import ZoneInfo

from dashboard.home.demo_data.booking import NOTHING, Leg, Pen
from dashboard.home.demo_data.business_days import BusinessDay
from dashboard.home.demo_data.chart import Chart
from dashboard.home.demo_data.holdings import CURRENCIES, FROZEN_CREDITS, FROZEN_DEBITS, PROVIDERS, Holdings
from dashboard.home.demo_data.rows import Parcel
from dashboard.ledger.vocabulary import SLOTS, AccountType, ParentType

SHARDS = 4
#: payments of so many last days, the open one among them, have their audit events
TOLD_DAYS = 3
#: drafts and holds of so many last days still stand
LIVE_DAYS = 2
#: share of the transactions that may be opening balances
_OPENINGS = 0.3
_OPENING_LEGS = 500
#: own money of the house at each of its own accounts, where there are transactions enough to tell of it
_OWN_FUNDS, _WITH_OWN_FUNDS = 7_500_000, 500
_BALANCES_AT_ONCE = 50_000
_MINUTE, _HOUR = 60_000, 3_600_000
#: an account that closes rests from before the day on which it does
_REST = 2 * _HOUR
#: payments that may still turn out to be mistakes
_REMEMBERED = 64
_TRIES = 60
#: transactions of a payment, on the average
_PER_PAYMENT = 1.38

Kind = tuple[str, int, int]


def _table(*kinds: tuple[str, int, int, int]) -> tuple[Kind, ...]:
    """A hundred places to draw from. The last number of each kind is its share."""
    return tuple(kind[:3] for kind in kinds for _ in range(kind[3]))


#: description, smallest and largest amount of a person in minor units, share
_INCOMING = _table(
    ("Salary", 90_000, 420_000, 22), ("Card top-up", 1_000, 30_000, 30), ("Bank transfer", 2_000, 250_000, 26),
    (NOTHING, 1_000, 120_000, 12), ("Refund", 500, 20_000, 6), ("Pension", 40_000, 140_000, 4),
)  # fmt: skip
_OUTGOING = _table(
    ("Rent", 35_000, 130_000, 12), ("Utilities", 2_500, 22_000, 16), ("Groceries", 600, 18_000, 24),
    (NOTHING, 500, 150_000, 16), ("Insurance", 3_000, 40_000, 8), ("Travel", 4_000, 160_000, 10),
    ("Invoice", 5_000, 240_000, 14),
)  # fmt: skip
_INTERNAL = _table(
    (NOTHING, 300, 60_000, 40), ("Shared dinner", 600, 6_000, 20), ("Loan repayment", 5_000, 60_000, 15),
    ("Gift", 1_000, 20_000, 15), ("Invoice", 5_000, 200_000, 10),
)  # fmt: skip
_COMPANY_TIMES = 8
#: a thousandth, but at least so much
_SMALLEST_FEE = 35
FEE = "Transfer fee"
OPENING = "Opening balance"
#: thousandths of a euro's worth
_RATES = {"eur": 1000, "gbp": 860, "usd": 1080, "pln": 4280}
#: what the client gets of the middle rate, in thousandths
_SPREAD = 995
_CANCELED = ("Canceled by the client", "Duplicate order", "Recipient details were wrong")
_FAILED = ("Refused by the recipient's bank", "The account of the recipient is closed")
_REVERSED = ("Sent twice by the partner", "Booked to the wrong account", "Told by the bank to be void")


class Walk:
    """One shard. `quota`: how many transactions it makes in all."""

    def __init__(
        self, holdings: Holdings, chart: Chart, days: list[BusinessDay], *, seed: str, quota: int, shard: int, zone: str
    ) -> None:
        self.holdings, self.chart, self.days = holdings, chart, days
        self.random = Random(seed)  # noqa: S311 invents, protects nothing
        self.pen = Pen(self.random)
        self.zone = ZoneInfo(zone)
        self.shard = shard
        #: what can be spent of each account, its limit included
        self.room = array("q", holdings.limits)
        self.held: dict[int, int] = {}
        self.touched: set[int] = set()
        #: sums of the house's accounts
        self.house: dict[str, int] = {account: 0 for account, _currency in chart.all}
        self.left = quota
        self.at = 0
        #: canceled holds that are given back: when, whose, how much
        self._releases: list[tuple[int, int, int]] = []
        #: in the order of opening; the first `_usable` of them are open
        self._order = sorted(range(len(holdings)), key=holdings.opened.__getitem__)
        self._usable = 0
        self._peers: dict[int, array[int]] = {place: array("q") for place in range(len(CURRENCIES))}
        self._recent: list[tuple[str, list[Leg], list[tuple[int, int]]]] = []
        self._closings = self._plan_closings()
        self._fees = [chart.standard[AccountType.FEES.value, currency] for currency in CURRENCIES]
        self._positions = [chart.standard[AccountType.FX_POSITION.value, currency] for currency in CURRENCIES]
        self._settlements = [[chart.settlement[provider, currency] for currency in CURRENCIES]
                             for provider in PROVIDERS]  # fmt: skip

    # --- the course of time -----------------------------------------------------------------------------------

    def parcels(self) -> Iterator[Parcel]:
        """One for each business day, maybe empty; then the balances that they led to, in a few more."""
        for number, day in enumerate(self.days):
            self.pen.on(day.day)
            self.pen.telling = number >= len(self.days) - TOLD_DAYS
            self.touched.clear()
            self._live(number, day)
            yield self.pen.parcel()
        yield from self._balances()

    def _plan_closings(self) -> dict[int, list[int]]:
        """By day, the accounts that close on it; each keeps one transaction back to be emptied by."""
        holdings, found = self.holdings, dict[int, list[int]]()
        for place, closed in enumerate(holdings.closed):
            if not closed:
                continue
            number = next((n for n, day in enumerate(self.days) if day.opened <= closed < day.closed), None)
            # what closed before history began never held anything; nor what opened and closed on one day
            if number is None or holdings.opened[place] >= self.days[number].opened - _REST or self.left < 1:
                holdings.quiet_from[place], holdings.quiet_until[place] = 1, 1 << 60
                continue
            self.left -= 1
            found.setdefault(number, []).append(place)
            rest = self.days[number].opened - _REST
            standing = holdings.quiet_from[place] or rest
            holdings.quiet_from[place] = min(standing, rest)
            holdings.quiet_until[place] = 1 << 60
        return found

    def _live(self, number: int, day: BusinessDay) -> None:
        closings = sorted((self.holdings.closed[place], place) for place in self._closings.get(number, ()))
        while self._usable < len(self._order):
            place = self._order[self._usable]
            if self.holdings.opened[place] >= day.opened:
                break
            self._peers[self.holdings.currencies[place]].append(place)
            self._usable += 1
        self.at = day.opened
        if number == 0:
            self._open_books()
        last = number == len(self.days) - 1
        wanted = self.left if last else int(self.left * self._weight(number) / self._weights_from(number))
        moments = self._moments(day, int(wanted / _PER_PAYMENT) + 1)
        before = self.left
        if last:
            # what the estimate left out comes at the end, a millisecond apart
            moments += [day.closed - _MINUTE] * wanted
        for moment in moments:
            while closings and closings[0][0] - 2 * _MINUTE <= moment:
                before += self._emptied(*closings.pop(0))
            if before - self.left >= wanted:
                break
            self._tick(moment)
            if not self._something(number, day, wanted - (before - self.left)):
                break
        for closing in closings:
            self._emptied(*closing)

    def _weight(self, number: int) -> float:
        """Business grows a little; the open day has only begun."""
        day = self.days[number]
        return (1 + number / len(self.days)) * (0.3 if day.open else 1)

    def _weights_from(self, number: int) -> float:
        return sum(self._weight(later) for later in range(number, len(self.days)))

    def _moments(self, day: BusinessDay, count: int) -> list[int]:
        """Most by day, some by night and at the weekend; in order."""
        random, opened, closed = self.random.random, self.at + _MINUTE, day.closed - _MINUTE
        busy = opened if day.open else max(opened, day.closed - 13 * _HOUR)
        return sorted(
            int(busy + random() * (closed - busy)) if random() < 0.8 else int(opened + random() * (closed - opened))
            for _ in range(count)
        )

    def _tick(self, moment: int) -> None:
        """Time goes on by a millisecond at least; holds that are over are given back."""
        self.at = max(moment, self.at + 1)
        while self._releases and self._releases[0][0] <= self.at:
            _at, place, amount = heappop(self._releases)
            self.room[place] += amount

    # --- what happens -----------------------------------------------------------------------------------------

    def _something(self, number: int, day: BusinessDay, allowed: int) -> bool:
        """One payment of at most `allowed` transactions. False when no account can move any more."""
        place = self._picked()
        if place is None:
            return False
        chance = self.random.random()
        if chance < 0.34 or allowed < 2 or self.room[place] < 2_000:
            if 0.2 < chance < 0.2015 and number < len(self.days) - TOLD_DAYS and self._reversed(allowed):
                return True
            self._incoming(place)
        elif chance < 0.56:
            self._internal(place)
        elif chance < 0.61:
            self._exchange(place)
        else:
            self._outgoing(place, number, day)
        return True

    def _quiet(self, place: int) -> bool:
        return self.holdings.quiet_from[place] <= self.at < self.holdings.quiet_until[place]

    def _picked(self) -> int | None:
        """Those that were opened first are busiest."""
        for _ in range(_TRIES):
            if not self._usable:
                return None
            share = self.random.random()
            place = self._order[int(self._usable * share * share)]
            if not self._quiet(place):
                return place
        return None

    def _drawn(self, kinds: tuple[Kind, ...], place: int) -> tuple[str, int]:
        """A description and an amount."""
        random = self.random.random
        description, low, high = kinds[int(random() * 100)]
        amount = int(low * (high / low) ** random())
        if self.holdings.companies[place]:
            amount *= _COMPANY_TIMES
            description = NOTHING if description in {"Salary", "Pension", "Groceries"} else description
        if self.holdings.currencies[place] == 3:
            amount *= 4
        if description == "Invoice":
            description = f"Invoice {10_000 + int(random() * 90_000)}"
        return description, amount

    def _moved(self, legs: list[Leg], effects: list[tuple[int, int]]) -> None:
        """Posted: `effects` on client accounts, and what is left of the legs on the house's."""
        house = self.house
        for debtor, creditor, _currency, amount, _description in legs:
            if debtor in house:
                house[debtor] -= amount
            if creditor in house:
                house[creditor] += amount
        for place, change in effects:
            self.room[place] += change
            self.touched.add(place)
        self.left -= len(legs)

    def _posted(self, legs: list[Leg], effects: list[tuple[int, int]], *, value_date: str | None = None) -> None:
        payment = self.pen.write(self.at, legs, value_date=value_date)
        self._moved(legs, effects)
        if len(self._recent) < _REMEMBERED:
            self._recent.append((payment, legs, effects))
        else:
            self._recent[int(self.random.random() * _REMEMBERED)] = (payment, legs, effects)

    def _incoming(self, place: int) -> None:
        currency = self.holdings.currencies[place]
        description, amount = self._drawn(_INCOMING, place)
        source = self._settlements[self.holdings.providers[place]][currency]
        # the bank had the money when it came, also at a weekend
        value_date = datetime.fromtimestamp(self.at / 1000, self.zone).date().isoformat()
        legs = [(source, self.holdings.id(place), CURRENCIES[currency], amount, description)]
        self._posted(legs, [(place, amount)], value_date=value_date)

    def _outgoing(self, place: int, number: int, day: BusinessDay) -> None:
        currency = self.holdings.currencies[place]
        description, amount = self._drawn(_OUTGOING, place)
        fee = max(_SMALLEST_FEE, amount // 1000)
        if amount + fee > self.room[place]:
            amount = int(self.room[place] * (0.2 + 0.6 * self.random.random()))
            fee = max(_SMALLEST_FEE, amount // 1000)
        account, code = self.holdings.id(place), CURRENCIES[currency]
        target = self._settlements[self.holdings.providers[place]][currency]
        legs = [(account, target, code, amount, description), (account, self._fees[currency], code, fee, FEE)]
        total = amount + fee
        if number >= len(self.days) - LIVE_DAYS and (live := self.random.random()) < 0.14:
            began = "pending" if live < 0.09 else "draft"
            self.pen.write(self.at, legs, began, began=began)
            self.left -= 2
            if began == "pending":
                self.room[place] -= total
                self.held[place] = self.held.get(place, 0) + total
                self.touched.add(place)
            return
        ended = min(self.at + int((0.5 + 20 * self.random.random() ** 3) * _MINUTE), day.closed - 1)
        chance = self.random.random()
        if chance < 0.4:
            self._posted(legs, [(place, -total)])
        elif chance < 0.96:
            self.pen.write(self.at, legs, began="pending", ended=ended)
            self._moved(legs, [(place, -total)])
        else:
            self._given_up(place, legs, total, ended, chance)

    def _given_up(self, place: int, legs: list[Leg], total: int, ended: int, chance: float) -> None:
        """A draft or a hold that came to nothing."""
        self.left -= len(legs)
        pick = self.random.choice
        if chance < 0.97:
            self.pen.write(self.at, legs, "canceled", began="draft", ended=ended, reason=pick(_CANCELED))
            return
        state, why = ("canceled", _CANCELED) if chance < 0.99 else ("error", _FAILED)
        self.pen.write(self.at, legs, state, began="pending", ended=ended, reason=pick(why))
        self.room[place] -= total
        heappush(self._releases, (ended + 1, place, total))

    def _internal(self, place: int) -> None:
        currency = self.holdings.currencies[place]
        peers = self._peers[currency]
        other = peers[int(self.random.random() * len(peers))]
        description, amount = self._drawn(_INTERNAL, place)
        if other == place or self._quiet(other):
            self._incoming(place)
            return
        amount = min(amount, self.room[place] // 2)
        legs = [(self.holdings.id(place), self.holdings.id(other), CURRENCIES[currency], amount, description)]
        self._posted(legs, [(place, -amount), (other, amount)])

    def _exchange(self, place: int) -> None:
        """Between two accounts of one owner, through the house's positions."""
        holdings = self.holdings
        for other in (place + 1, place - 1):
            if (
                0 <= other < len(holdings)
                and holdings.owners[other] == holdings.owners[place]
                and holdings.currencies[other] != holdings.currencies[place]
                and holdings.opened[other] < self.at
                and not self._quiet(other)
            ):
                break
        else:
            self._incoming(place)
            return
        # whichever way round: exchanges that even one another out leave the house no position to cover at the bank
        if self.room[other] > 0 and self._worth(place) > self._worth(other):
            place, other = other, place
        from_, to = holdings.currencies[place], holdings.currencies[other]
        sold, bought = CURRENCIES[from_], CURRENCIES[to]
        amount = int(self.room[place] * (0.1 + 0.5 * self.random.random()))
        # in the client's favour never: rounded down
        given = amount * _RATES[bought] * _SPREAD // (_RATES[sold] * 1000)
        if given < 1:
            self._incoming(place)
            return
        words = f"Exchange {sold.upper()} to {bought.upper()}"
        legs = [
            (holdings.id(place), self._positions[from_], sold, amount, words),
            (self._positions[to], holdings.id(other), bought, given, words),
        ]
        self._posted(legs, [(place, -amount), (other, given)])

    def _worth(self, place: int) -> int:
        """What the house holds through exchanges of an account's currency, in thousandths of a euro cent."""
        currency = self.holdings.currencies[place]
        return self.house[self._positions[currency]] * 1_000_000 // _RATES[CURRENCIES[currency]]

    def _reversed(self, allowed: int) -> bool:
        """An earlier payment was a mistake: its mirror, if its accounts still have the money and are not at rest."""
        if not self._recent:
            return False
        payment, legs, effects = self._recent.pop(int(self.random.random() * len(self._recent)))
        if len(legs) > allowed or any(self._quiet(place) or self.room[place] < change for place, change in effects):
            return False
        mirror = [
            (creditor, debtor, currency, amount,
             f"Reversal: {description}" if description != NOTHING else "Reversal")
            for debtor, creditor, currency, amount, description in reversed(legs)
        ]  # fmt: skip
        parent = f"{self.at:012x}7fff8{self.random.getrandbits(60):015x}"
        self.pen.write(
            self.at, mirror, reason=self.random.choice(_REVERSED), reverses=payment,
            parent=(ParentType.ADJUSTING_PAYMENT.value, parent, "reversal"),
        )  # fmt: skip
        self._moved(mirror, [(place, -change) for place, change in effects])
        return True

    # --- beginning and end ------------------------------------------------------------------------------------

    def _open_books(self) -> None:
        """What accounts held before the ledger began, as `ledger.services.opening` posts it; the banks hold as much."""
        room = int(self.left * _OPENINGS) - len(PROVIDERS) * len(CURRENCIES)
        legs: list[list[Leg]] = [[] for _ in CURRENCIES]
        banks: dict[str, int] = {}
        self.at += 2 * _MINUTE
        for place in self._order[: max(0, min(self._usable, room))]:
            if self._quiet(place):
                continue
            currency = self.holdings.currencies[place]
            _description, amount = self._drawn(_INCOMING, place)
            source = self.chart.standard[AccountType.OPENING.value, CURRENCIES[currency]]
            legs[currency].append((source, self.holdings.id(place), CURRENCIES[currency], amount, OPENING))
            self.room[place] += amount
            self.touched.add(place)
            bank = self._settlements[self.holdings.providers[place]][currency]
            banks[bank] = banks.get(bank, 0) + amount
        for order, code in enumerate(CURRENCIES):
            opening = self.chart.standard[AccountType.OPENING.value, code]
            legs[order].extend(
                (row[order], opening, code, banks[row[order]], OPENING)
                for row in self._settlements
                if row[order] in banks
            )
        # one shard tells what the house itself brought in
        if self.shard == 0 and self.left >= _WITH_OWN_FUNDS:
            legs.append([
                (bank, self.chart.standard[AccountType.OWN_FUNDS.value, currency], currency, _OWN_FUNDS,
                 "Capital paid in")
                for (_provider, currency), bank in self.chart.own_funds.items()
            ])  # fmt: skip
        self._book_openings([leg for group in legs for leg in group])

    def _book_openings(self, legs: list[Leg]) -> None:
        parent = f"{self.at:012x}7fff8{self.random.getrandbits(60):015x}"
        for start in range(0, len(legs), _OPENING_LEGS):
            part = legs[start : start + _OPENING_LEGS]
            purpose = f"opening-{start // _OPENING_LEGS + 1}"
            self._tick(self.at)
            self.pen.write(self.at, part, parent=(ParentType.ADJUSTING_PAYMENT.value, parent, purpose))
            self._moved(part, [])

    def _emptied(self, closed: int, place: int) -> int:
        """The last money leaves before an account closes, by the transaction that was kept for it; gives how many of
        these were not needed."""
        self.left += 1
        self._tick(closed - 2 * _MINUTE)
        amount = self.room[place]
        if not amount:
            return 1
        currency = self.holdings.currencies[place]
        target = self._settlements[self.holdings.providers[place]][currency]
        leg = (self.holdings.id(place), target, CURRENCIES[currency], amount, "Closing of the account")
        self.pen.write(self.at, [leg])
        self._moved([leg], [(place, -amount)])
        return 0

    def _balances(self) -> Iterator[Parcel]:
        holdings, lines = self.holdings, list[str]()
        self._tick(self.days[-1].closed)
        for place in range(len(holdings)):
            held, limit, frozen = self.held.get(place, 0), holdings.limits[place], holdings.frozen[place]
            posted = self.room[place] + held - limit
            lines.append(
                f"{holdings.id(place)}\t0\t{CURRENCIES[holdings.currencies[place]]}\tt\t{posted}\t{held}\t{limit}\t"
                f"{holdings.blocked[place]}\t{'t' if frozen & FROZEN_DEBITS else 'f'}\t"
                f"{'t' if frozen & FROZEN_CREDITS else 'f'}\t{'t' if holdings.closed[place] else 'f'}\t"
                f"{'t' if place in self.touched else 'f'}\n"
            )
            if len(lines) == _BALANCES_AT_ONCE:
                yield {"account_balance": (len(lines), "".join(lines).encode())}
                lines.clear()
        lines += self._house_balances()
        yield {"account_balance": (len(lines), "".join(lines).encode())}

    def _house_balances(self) -> list[str]:
        """Each shard fills slots of its own."""
        slots, lines = range(self.shard, SLOTS, SHARDS), list[str]()
        for account, currency in self.chart.all:
            share, rest = divmod(self.house[account], len(slots))
            for order, slot in enumerate(slots):
                posted = share + (rest if order == 0 else 0)
                lines.append(f"{account}\t{slot}\t{currency}\tf\t{posted}\t0\t0\t0\tf\tf\tf\tt\n")
        return lines
