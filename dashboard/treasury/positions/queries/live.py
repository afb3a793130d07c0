"""What is now: balances as they are stored at this moment, not reconciled with anything.

Reading them takes as long as there are accounts in pools of their own: milliseconds in most houses, a good part of a
second with some ten thousand such accounts. A reading that was slow is shown again for a while, with its moment, so
that pages that are open all day take no more than a twentieth of the database's time for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from dashboard import clock
from dashboard.database import session
from dashboard.ledger.queries import balances
from dashboard.treasury.positions.queries import clients
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.figures import loose_suspense
from dashboard.treasury.register import queries as register
from dashboard.treasury.vocabulary import Pool


@dataclass(frozen=True)
class Live:
    """Of one pool and currency, in minor units. `held` is part of `client`; `ledger` is the ledger's view of the
    pool's bank accounts."""

    pool: str
    currency: str
    client: int
    held: int
    negative: int
    unrecognized: int
    ledger: int
    as_of: datetime


#: seconds: a reading that took longer is shown again, for so many times as long as it took, at most so long
SLOW, TIMES, LONGEST = 0.1, 20, 60.0
#: the last slow reading of each database, and until when it is shown
_shown: dict[str, tuple[float, dict[Pair, Live]]] = {}


def now() -> dict[Pair, Live]:
    """Every pool and currency; `as_of` says of when, which is less than a minute ago."""
    database = str(session().connection().engine.url)
    until, found = _shown.get(database, (0.0, {}))
    began = time.monotonic()
    if began < until:
        return found
    found = _read()
    ended = time.monotonic()
    if ended - began > SLOW:
        # who asks from now on is answered as of the moment before the reading began
        _shown[database] = (ended + min((ended - began) * TIMES, LONGEST), found)
    else:
        _shown.pop(database, None)
    return found


def _read() -> dict[Pair, Live]:
    every = register.accounts()
    views = [view for view in every if view.pool]
    loose = loose_suspense(every)
    ids = {one for view in views for one in (view.settlement_account_id, view.suspense_account_id) if one}
    posted = {key: one.posted for key, one in balances.now({*ids, *(one.account_id for one in loose)}).items()}
    moment, sums = clock.now(), clients.now()
    suspense: dict[Pair, int] = {}
    ledger: dict[Pair, int] = {}
    for view in views:
        pair = (view.pool or "", view.currency)
        if view.suspense_account_id:
            suspense[pair] = suspense.get(pair, 0) + max(posted.get(view.suspense_account_id, 0), 0)
        if view.settlement_account_id:
            ledger[pair] = ledger.get(pair, 0) - posted.get(view.settlement_account_id, 0)
    for one in loose:
        pair = (Pool.E_MONEY.value, one.currency)
        suspense[pair] = suspense.get(pair, 0) + max(posted.get(one.account_id, 0), 0)
    wanted = {
        *(pair for pair, found in sums.items() if found.positive or found.negative or found.held),
        *(pair for pair, amount in suspense.items() if amount),
        *ledger,
    }
    nothing = clients.NowSums(0, 0, 0)
    return {
        pair: Live(
            pair[0], pair[1], sums.get(pair, nothing).positive, sums.get(pair, nothing).held,
            sums.get(pair, nothing).negative, suspense.get(pair, 0), ledger.get(pair, 0), moment,
        )
        for pair in sorted(wanted)
    }  # fmt: skip
