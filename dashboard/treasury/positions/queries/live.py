"""What is now: balances as they are stored at this moment, not reconciled with anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard import clock
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


def now() -> dict[Pair, Live]:
    """Every pool and currency."""
    every = register.accounts()
    views = [view for view in every if view.pool]
    loose = loose_suspense(every)
    ids = {one for view in views for one in (view.settlement_account_id, view.suspense_account_id) if one}
    posted = {key: one.posted for key, one in balances.now({*ids, *(one.account_id for one in loose)}).items()}
    sums, moment = clients.now(), clock.now()
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
