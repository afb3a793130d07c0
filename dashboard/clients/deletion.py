"""What stands between a wish to be deleted and the purge, read for one client or for a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.approvals import queries as approvals
from dashboard.clients import retention
from dashboard.clients.deletion_models import DeletionRequest, LegalHold
from dashboard.clients.models import Client
from dashboard.clients.retention import OPEN, DeletionState
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.errors import NotFound

#: what keeps a relationship from ending; the database asks the same (`client_closing`)
OF_MONEY = ("balance", "livePayments", "openTransfers", "openDispositions", "openAccounts")
#: stands in the way even where no block does: a mark set after the end blocks nothing any more
SANCTIONS_MARK = "sanctionsMark"


@dataclass(frozen=True)
class Step:
    """One thing that must be so before the purge. `left` says what is missing; empty when it is done."""

    key: str
    what: str
    left: str
    #: where one works on it
    url: str | None = None
    #: nobody hears of it without the sight of reasons
    restricted: bool = False

    @property
    def done(self) -> bool:
        return not self.left


@dataclass(frozen=True)
class Standing:
    """Where a client stands on the way. `retention_until`: first day on which the purge may run."""

    client: Client
    request: DeletionRequest | None
    obstacles: dict[str, int]
    holds: list[LegalHold]
    retention_begins: datetime | None
    retention_until: date | None

    @property
    def ended(self) -> bool:
        return self.client.closed_at is not None

    @property
    def retention_over(self) -> bool:
        return self.retention_until is not None and self.retention_until <= calendar().today()

    @property
    def may_plan(self) -> bool:
        """Whether two people may approve the purge now: only the date is missing."""
        return self.request is not None and self.request.state == DeletionState.REQUESTED and not self.obstacles

    @property
    def may_end(self) -> bool:
        """Whether the relationship may be ended now."""
        return not self.ended and not any(code in self.obstacles for code in (*OF_MONEY, "blocks"))


def obstacles(client_id: UUID) -> dict[str, int]:
    """Code to how many, but for retention; empty when nothing is in the way. The purge asks the same function."""
    rows = session().execute(sa.text("SELECT code, many FROM deletion_obstacles(:client)"), {"client": client_id})
    return {row.code: row.many for row in rows}


def retention_begins(client_id: UUID) -> datetime | None:
    """The end of the relationship, or the last booking after it; None while it has not ended."""
    found: datetime | None = session().scalar(sa.text("SELECT retention_begins(:client)"), {"client": client_id})
    return found


def open_request(client_id: UUID) -> DeletionRequest | None:
    return session().scalar(
        sa.select(DeletionRequest).where(DeletionRequest.client_id == client_id, DeletionRequest.state.in_(OPEN))
    )


def latest_request(client_id: UUID) -> DeletionRequest | None:
    """The open one, else the last."""
    return session().scalar(
        sa.select(DeletionRequest)
        .where(DeletionRequest.client_id == client_id)
        .order_by(DeletionRequest.id.desc())
        .limit(1)
    )


def get(request_id: UUID) -> DeletionRequest:
    """Raises NotFound."""
    found = session().get(DeletionRequest, request_id)
    if found is None:
        raise NotFound("There is no such request.")
    return found


def earlier_requests(client_id: UUID, *, but: UUID | None) -> list[DeletionRequest]:
    """Those before, newest first."""
    query = sa.select(DeletionRequest).where(DeletionRequest.client_id == client_id)
    if but is not None:
        query = query.where(DeletionRequest.id != but)
    return list(session().scalars(query.order_by(DeletionRequest.id.desc()).limit(20)))


def active_holds(client_id: UUID) -> list[LegalHold]:
    return list(
        session().scalars(
            sa.select(LegalHold)
            .where(LegalHold.client_id == client_id, LegalHold.ended_at.is_(None))
            .order_by(LegalHold.id)
        )
    )


def hold_of(client_id: UUID, hold_id: UUID) -> LegalHold:
    """Raises NotFound, also for another client's."""
    found = session().get(LegalHold, hold_id)
    if found is None or found.client_id != client_id:
        raise NotFound("There is no such hold.")
    return found


def standing(client: Client, *, actor: Actor | None = None) -> Standing:
    """Everything about one client, in five queries; for an `actor`, as far as it may know.

    A hold may tell of a report to the authorities: without `clients:read-restricted` there is none, and the figures
    are those of a client without one.
    """
    begins = retention_begins(client.id)
    masked = actor is not None and not actor.sees_restricted
    left = {} if client.purged_at else obstacles(client.id)
    if masked and actor is not None:
        left.pop("holds", None)
        # requests to end a hold are as unknown; more than these the database may not count
        known = min(left.pop("approvals", 0), len(approvals.open_for_client(client.id, actor=actor)))
        left |= {"approvals": known} if known else {}
    return Standing(
        client=client,
        request=latest_request(client.id),
        obstacles=left,
        holds=[] if masked else active_holds(client.id),
        retention_begins=begins,
        retention_until=retention.ends(begins),
    )


def _count(many: int, one: str, several: str) -> str:
    return f"1 {one}" if many == 1 else f"{many:,} {several}"


def steps(found: Standing, *, asked: bool = False) -> list[Step]:
    """The way from the request to the purge, in order: done, or what is left. `asked`: a second person decides.
    Restricted ones are for those who may see reasons.
    """
    client, left = found.client, found.obstacles
    money = []
    if left.get("balance"):
        money.append(f"pay out {_count(left['balance'], 'balance', 'balances')}")
    if left.get("livePayments"):
        money.append(f"finish {_count(left['livePayments'], 'payment', 'payments')}")
    if left.get("openTransfers"):
        money.append(f"finish {_count(left['openTransfers'], 'transfer', 'transfers')}")
    if left.get("openDispositions"):
        money.append(f"decide {_count(left['openDispositions'], 'assignment of money', 'assignments of money')}")
    request = found.request
    # what comes next is said to everybody, a mark is not
    ready, marks = not set(left) - {SANCTIONS_MARK}, left.get(SANCTIONS_MARK, 0)
    planned = request is not None and request.state in (DeletionState.WAITING, DeletionState.PURGED)
    until = found.retention_until
    at = f"/clients/{client.id}"
    return [
        Step("money", "Money paid out, nothing under way", ", ".join(money), f"{at}?tab=transfers" if money else None),
        Step(
            "accounts",
            "Accounts closed",
            f"close {_count(left['openAccounts'], 'account', 'accounts')}" if left.get("openAccounts") else "",
            f"{at}?tab=money",
        ),
        Step("blocks", "No block stands", f"lift {_count(left['blocks'], 'block', 'blocks')}" if left.get("blocks")
             else "", at),
        Step("relationship", "Relationship ended", "" if found.ended else "end it" if found.may_end
             else "end it when the steps above are done"),
        Step(
            "approvals",
            "No other request waits for approval",
            f"decide {_count(left['approvals'], 'request', 'requests')}" if left.get("approvals") else "",
            at,
        ),
        Step("holds", "No legal hold", f"end {_count(left['holds'], 'hold', 'holds')}" if left.get("holds") else ""),
        Step(
            "mark",
            "No sanctions mark",
            f"end {_count(marks, 'sanctions mark', 'sanctions marks')}" if marks else "",
            at,
            restricted=True,
        ),
        Step("plan", "Deletion approved by two people",
             "" if planned else "a second person decides" if asked else "ask for it" if ready
             else "ask for it when the steps above are done"),
        Step(
            "retention",
            "Retention over",
            "" if found.retention_over
            else f"waits until {until.day} {until:%b %Y}" if until
            else f"{retention.years()} years from the end of the relationship",
        ),
    ]  # fmt: skip


def listing(state: str, *, before: tuple[date, UUID] | None, limit: int) -> list[tuple[DeletionRequest, Client]]:
    """Requests of one state, the last received first. `before`: day of receipt and id of the last one seen."""
    query = (
        sa.select(DeletionRequest, Client)
        .join(Client, Client.id == DeletionRequest.client_id)
        .where(DeletionRequest.state == state)
        .order_by(DeletionRequest.received_on.desc(), DeletionRequest.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(sa.tuple_(DeletionRequest.received_on, DeletionRequest.id) < sa.tuple_(*before))
    return [(request, client) for request, client in session().execute(query)]


def counts() -> dict[str, int]:
    """How many requests there are of each state."""
    rows = session().execute(sa.select(DeletionRequest.state, sa.func.count()).group_by(DeletionRequest.state))
    return {row[0]: row[1] for row in rows}


def due_for_purge(day: date, *, after: tuple[date, UUID] | None, limit: int = 100) -> list[DeletionRequest]:
    """Planned ones whose date has come, in order."""
    query = (
        sa.select(DeletionRequest)
        .where(DeletionRequest.state == DeletionState.WAITING.value, DeletionRequest.purge_from <= day)
        .order_by(DeletionRequest.purge_from, DeletionRequest.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(DeletionRequest.purge_from, DeletionRequest.id) > sa.tuple_(*after))
    return list(session().scalars(query))


def in_short(clients: Sequence[Client]) -> dict[UUID, str]:
    """Of each of these: until when its data is kept and whether a legal hold stands, in one query."""
    if not clients:
        return {}
    held = set(
        session().scalars(
            sa.select(LegalHold.client_id).where(
                LegalHold.client_id.in_([one.id for one in clients]), LegalHold.ended_at.is_(None)
            )
        )
    )
    told = {}
    for client in clients:
        free = retention.ends(client.closed_at)
        kept = f"free from {free.day} {free:%b %Y}" if free else "the relationship goes on"
        told[client.id] = f"{kept} · a legal hold stands" if client.id in held else f"{kept} · no legal hold"
    return told
