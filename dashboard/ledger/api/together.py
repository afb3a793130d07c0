"""Payments that are asked for at the same moment, in one transaction.

While one payment is on its way to the database, others that arrive in this process wait; whoever is next takes all of
them along. Nobody waits for company: a payment that finds nobody on the way goes at once, alone. Most of what a
payment costs the database are its statements and its commit, which several share (docs/adr/0039).

Each is decided as if it had come alone, in the order of arrival. What cannot be done together is asked for alone, and
what is refused is told in the usual way: this one only ever answers payments that were made.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from flask import Flask

from dashboard import direct

#: payments of one transaction: more would let the first wait for the last
MOST = 16
#: seconds after which the next payment no longer waits for those that are on their way: what hangs, or waits for a
#: lock, holds up nobody else
PATIENCE = 0.05

#: what each parameter of `pay_together` is an array of; None: one value for all
_TYPES = (
    "text", "text", "text", "uuid", "text", "uuid", "uuid", "uuid", "uuid", "text", "bigint", "uuid", "text",
    None, None, "text", "text",
)  # fmt: skip
_MANY = (
    "SELECT place, made_by, answer FROM pay_together("
    + ", ".join(f"${place}" + (f"::{of}[]" if of else "") for place, of in enumerate(_TYPES, 1))
    + ")"
)
_ONE = "SELECT by_id, said FROM pay_at_once(" + ", ".join(f"${number}" for number in range(1, 18)) + ")"


class Asked(NamedTuple):
    """What `pay_at_once` is told of one payment, in its order. `secret` is the hash of the token's."""

    secret: str
    address: str | None
    request: str
    id: str
    parent_type: str
    parent_id: str
    transaction_id: str
    debtor: str
    creditor: str
    currency: str
    amount: int
    event: UUID
    key: str | None
    method: str
    path: str
    #: of the body, where there is a key
    digest: bytes | None
    #: with @moment@ and @booked@ where the ledger's own times stand
    answer: str

    def excludes(self) -> list[tuple[str, str]]:
        """Of each there is one payment: a parent, and a key of a token."""
        parent = (self.parent_type, self.parent_id)
        return [parent] if self.key is None else [parent, (self.secret, self.key)]


#: the token and the answer; None where the usual way must speak
Made = tuple[UUID, str] | None


@dataclass(eq=False)
class _Waiting:
    asked: Asked
    #: released when somebody has paid for this one, or when its own turn has come
    turn: threading.Lock = field(default_factory=threading.Lock)
    taken: bool = False
    alone: bool = False
    made: Made = None


class Together:
    """The payments of this process that are on their way, and those that wait."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        #: who passes the turn on when it is back
        self._leader: _Waiting | None = None
        self._waiting: deque[_Waiting] = deque()

    def pay(self, asked: Asked) -> Made:
        """Make the payment. Raises psycopg.Error where it was refused, or the database is away."""
        mine = _Waiting(asked)
        with self._lock:
            waits = self._leader is not None
            if waits:
                mine.turn.acquire()
                self._waiting.append(mine)
            else:
                self._leader = mine
        if waits:
            self._wait(mine)
        if not mine.taken:
            self._go(mine)
        return self._alone(asked) if mine.alone else mine.made

    def _wait(self, mine: _Waiting) -> None:
        """Until this one was taken along, or its turn has come; or until it takes the turn itself."""
        if mine.turn.acquire(timeout=PATIENCE):
            return
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                # whoever is on the way so long answers for itself, and has no turn to pass on any more
                self._leader = mine
                return
        # it is on its way by now: to ask again could only wait for itself
        mine.turn.acquire()

    def _go(self, first: _Waiting) -> None:
        """Pay for this one and for those who wait, then let the next one go."""
        with self._lock:
            group = self._group(first)
        try:
            self._pay(group)
        finally:
            following = None
            with self._lock:
                if self._leader is first:
                    following = self._leader = self._waiting.popleft() if self._waiting else None
            for one in group[1:]:
                one.taken = True
                one.turn.release()
            if following is not None:
                following.turn.release()

    def _group(self, first: _Waiting) -> list[_Waiting]:
        """This one with those who wait, but for those that exclude one of them: they would spoil it for all."""
        group, left = [first], []
        unique = set(first.asked.excludes())
        while self._waiting and len(group) < MOST:
            one = self._waiting.popleft()
            own = one.asked.excludes()
            if unique.isdisjoint(own):
                unique.update(own)
                group.append(one)
            else:
                left.append(one)
        self._waiting.extendleft(reversed(left))
        return group

    def _pay(self, group: Sequence[_Waiting]) -> None:
        if len(group) == 1:
            group[0].made = self._alone(group[0].asked)
            return
        columns = zip(*(one.asked for one in group), strict=True)
        try:
            rows = direct.rows_beside(self._app, _MANY, [_sent(*one) for one in zip(_TYPES, columns, strict=True)])
        except psycopg.Error:
            # one of them has spoilt it for all, and nothing was done; or the connection broke, and it may all be done.
            # A parent has one payment, so that whoever asks again alone is told so
            for one in group:
                one.alone = True
            return
        for place, made_by, answer in rows:
            one = group[place - 1]
            if made_by is None:
                one.alone = True
            else:
                one.made = (made_by, answer)

    def _alone(self, asked: Asked) -> Made:
        row = direct.beside(self._app, _ONE, asked)
        return None if row is None or row[0] is None else (row[0], row[1])


def _sent(of: str | None, column: Sequence[Any]) -> str:
    """A column as an array; where the statement wants one value for all, that of the first."""
    if of is None:
        return str(column[0])
    return direct.array(
        value.hex() if isinstance(value, bytes) else None if value is None else str(value) for value in column
    )
