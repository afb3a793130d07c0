"""Payments as lines for COPY, many a second: identifiers without dashes, times put together from a table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from random import Random

from dashboard.home.demo_data.histories import CORE
from dashboard.home.demo_data.rows import Parcel
from dashboard.ledger.vocabulary import MAIN_PURPOSE, ParentType

#: debtor, creditor, currency, amount in minor units, description as COPY reads it
Leg = tuple[str, str, str, int, str]

NOTHING = "\\N"
_DAY, _SECOND = 86_400_000, 1_000
_CLOCK = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)]
_ACTIONS = {"pending": "payment.pended", "draft": "payment.drafted", "error": "payment.failed"}
_TRANSFER = ParentType.TRANSFER.value
_BY = f"{CORE.kind}\t{CORE.id}"


class Pen:
    """Collects the rows of payments, and of their audit events where `telling`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.telling = False
        self._midnight = -1
        self._date = ""
        self._booked = NOTHING
        self._clear()

    def _clear(self) -> None:
        self._payments: list[str] = []
        self._transactions: list[str] = []
        self._changes: list[str] = []
        self._events: list[str] = []

    def on(self, day: date) -> None:
        """What is posted from now on is booked on that day."""
        self._booked = day.isoformat()

    def parcel(self) -> Parcel:
        """What was written since the last one."""
        lines = {
            "payment": self._payments, "ledger_transaction": self._transactions,
            "payment_state_change": self._changes, "audit_event": self._events,
        }  # fmt: skip
        self._clear()
        return {table: (len(rows), "".join(rows).encode()) for table, rows in lines.items() if rows}

    def time(self, at: int) -> str:
        midnight, rest = divmod(at, _DAY)
        if midnight != self._midnight:
            self._midnight, self._date = midnight, datetime.fromtimestamp(midnight * 86_400, UTC).date().isoformat()
        second, thousandth = divmod(rest, _SECOND)
        return f"{self._date} {_CLOCK[second]}.{thousandth:03d}+00"

    def write(
        self,
        at: int,
        legs: list[Leg],
        state: str = "posted",
        *,
        began: str = "posted",
        ended: int = 0,
        reason: str = NOTHING,
        parent: tuple[str, str, str] | None = None,
        reverses: str = NOTHING,
        value_date: str | None = None,
    ) -> str:
        """One payment; gives its id.

        It was made at `at` in the state `began` (draft, pending or posted), and reached `state` at `ended` if that is
        another one. `parent`: type, id, purpose; a transfer of its own without. `value_date`: the booking date without.
        """
        noise = self.random.getrandbits(60 * (3 + len(legs)))
        stamp = f"{at:012x}7"
        fresh = f"{noise & 0xFFFFFFFFFFFFFFF:015x}"
        payment = f"{stamp}0008{fresh}"
        noise >>= 60
        created = self.time(at)
        posted = created if began == state else self.time(ended)
        parent_type, parent_id, purpose = parent or (
            _TRANSFER, f"{stamp}fff8{noise & 0xFFFFFFFFFFFFFFF:015x}", MAIN_PURPOSE
        )  # fmt: skip
        dates = (posted, self._booked, value_date or self._booked) if state == "posted" else (NOTHING,) * 3
        tail = "\t".join(dates)
        self._payments.append(
            f"{payment}\t{parent_type}\t{parent_id}\t{purpose}\t{state}\t{reason}\t{reverses}\t{created}\t{tail}\t{_BY}\n"
        )
        for position, (debtor, creditor, currency, amount, description) in enumerate(legs, 1):
            noise >>= 60
            self._transactions.append(
                f"{stamp}{position:03x}8{noise & 0xFFFFFFFFFFFFFFF:015x}\t{payment}\t{position}\t{debtor}\t{creditor}\t"
                f"{currency}\t{amount}\t{description}\t{state}\t{created}\t{tail}\n"
            )
        if began != "draft":
            why = reason if began == state else NOTHING
            self._changes.append(f"{payment}\t1\tdraft\t{began}\t{created}\t{why}\t{_BY}\n")
        if began != state:
            second = 1 if began == "draft" else 2
            self._changes.append(f"{payment}\t{second}\t{began}\t{state}\t{posted}\t{reason}\t{_BY}\n")
        if self.telling:
            self._tell(at, created, began, payment)
            if began != state:
                self._tell(ended, posted, state, payment)
        return payment

    def _tell(self, at: int, time: str, state: str, payment: str) -> None:
        event = f"{at:012x}7{self.random.getrandbits(12):03x}8{self.random.getrandbits(60):015x}"
        action = _ACTIONS.get(state) or f"payment.{state}"
        self._events.append(
            f"{event}\t{time}\t{CORE.kind}\t{CORE.id}\t{CORE.name}\t{CORE.role}\t{action}\tpayment\t{payment}\t\\N\t\\N\n"
        )
