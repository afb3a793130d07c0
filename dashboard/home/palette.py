"""What the palette and the page Find offer for a few words: pages, acts, clients, accounts and transfers, each only to
who may open it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.clients import search
from dashboard.clients.folding import words
from dashboard.home import finding
from dashboard.home.navigation import ENTRIES, PLACES, STAFF, TREASURY
from dashboard.home.worklist import QUEUES
from dashboard.ledger import owners
from dashboard.ledger.queries import account_list
from dashboard.transfers.badges import title_of
from dashboard.transfers.models import Transfer
from dashboard.transfers.queries import transfers
from dashboard.views import queries as views

P = Permission
#: rows of each kind of object: the lists have the others
MOST = 5
MOST_VIEWS = 20
#: shorter texts mean half of the house
SHORTEST = 2
LONGEST = 200


class Place(NamedTuple):
    """`also`: other words that somebody may type for it."""

    label: str
    path: str
    permission: Permission
    also: str = ""


#: pages that stand in none of the lists of navigation
MORE = (
    Place("Open flags", "/clients/flags", P.CLIENTS_REVIEW, "doubts"),
    Place("Incoming requests", "/transfers/requests", P.TRANSFERS_READ, "notifications"),
    Place("Rules for payers", "/transfers/unrecognized/rules", P.TRANSFERS_READ, "assign"),
    Place("Providers", "/transfers/providers", P.TRANSFERS_READ, "outbox banks files"),
    Place("Exchange", "/transfers/exchange", P.TRANSFERS_READ, "fx rates margins"),
    Place("Calendars", "/transfers/calendars", P.TRANSFERS_READ, "holidays"),
    Place("Your exports", "/exports", P.OWN_WORK, "files downloads xlsx"),
    Place("Transactions", "/ledger/transactions", P.LEDGER_READ, "postings"),
    Place("Business days", "/ledger/days", P.LEDGER_READ, "snapshot"),
    Place("Balance checks", "/ledger/checks", P.LEDGER_READ),
    Place("Opening balances", "/ledger/opening-balances", P.LEDGER_READ, "import"),
    Place("Treasury alerts", "/treasury/checks/alerts", P.TREASURY_READ),
    Place("Rules of matching", "/treasury/reconciliation/rules", P.TREASURY_READ),
    Place("Safeguarding by month", "/treasury/safeguarding/months", P.TREASURY_READ),
    Place("Thresholds", "/treasury/thresholds", P.TREASURY_READ, "limits"),
    Place("Client accounts by pool", "/treasury/accounts/pools", P.TREASURY_READ),
    Place("Comparisons with Sumsub", "/onboarding/differences/runs", P.EVENTS_READ),
    Place("Replays of verification events", "/onboarding/events/replays", P.EVENTS_READ, "processed again"),
    Place("Log of jobs", "/jobs/log", P.JOBS_READ, "runs"),
    Place("Running work", "/jobs/work", P.JOBS_READ, "background"),
    Place("Saved views", "/views", P.OWN_WORK, "filters lists"),
    Place("Rules of approval", "/approvals/rules", P.APPROVALS_READ, "four eyes limits fees countries"),
    Place("Settings", "/staff/me", P.OWN_WORK, "password sessions theme keys"),
)
#: other words for pages of staff
STAFF_WORDS = {
    "/staff/roles": "staff permissions",
    "/staff/tokens": "staff machines",
    "/staff": "people colleagues",
}
ACTS = (
    Place("New person", "/clients/new/individual", P.CLIENTS_WRITE, "client individual create"),
    Place("New company", "/clients/new/company", P.CLIENTS_WRITE, "client create"),
    Place("Open an account", "/ledger/accounts/open", P.ACCOUNTS_WRITE, "new"),
    Place("New adjusting payment", "/ledger/payments/new", P.PAYMENTS_ADJUST, "correct"),
    Place("End the business day", "/ledger/days/end", P.LEDGER_OPERATE, "close"),
    Place("Set the margin of exchange", "/transfers/exchange/margin", P.RATES_WRITE, "fx"),
    Place("Register a bank account", "/treasury/accounts/new", P.TREASURY_WRITE, "new"),
    Place("New movement between own accounts", "/treasury/movements/new", P.TREASURY_WRITE, "top up sweep"),
    Place("Import statements", "/treasury/statements", P.TREASURY_WRITE, "upload camt mt940 csv"),
    Place("Process verification events again", "/onboarding/events/replay/new", P.EVENTS_REPLAY, "replay"),
    Place("Invite somebody", "/staff/invitations/new", P.STAFF_WRITE, "staff new colleague member"),
    Place("New token", "/staff/tokens/new", P.STAFF_WRITE, "api machine create"),
    Place("Change the password", "/staff/me", P.OWN_WORK),
)


@dataclass(frozen=True)
class Entry:
    """`about` tells it from others of the same name."""

    label: str
    url: str
    about: str = ""


@dataclass(frozen=True)
class Group:
    key: str
    label: str
    entries: Sequence[Entry]


def _pages(actor: Actor) -> list[Place]:
    """Every page of a list of navigation once, under the name that the most prominent of them gives it."""
    listed = [
        *(Place(label, path, permission) for label, path, permission, _ in ENTRIES),
        *(Place(label, path, permission, "onboarding") for label, path, permission, _ in PLACES),
        *(Place(label, path, permission, "treasury") for label, path, permission, _ in TREASURY),
        *(Place(label, path, permission, STAFF_WORDS.get(path, "staff")) for label, path, permission, _ in STAFF),
        *(
            Place(f"Queue: {queue.label}", queue.page or f"/queues/{key}", queue.permission)
            for key, queue in QUEUES.items()
            if queue.worked_by(actor)
        ),
        *MORE,
    ]
    first: dict[str, Place] = {}
    for place in listed:
        if actor.may(place.permission):
            first.setdefault(place.path, place)
    return list(first.values())


def _fits(place: Place, typed: Sequence[str]) -> bool:
    """Each word that was typed begins one of the place's."""
    known = words(f"{place.label} {place.also}")
    return all(any(word.startswith(part) for word in known) for part in typed)


def _entries(places: Iterable[Place], typed: Sequence[str]) -> list[Entry]:
    return [Entry(place.label, place.path) for place in places if _fits(place, typed)]


def _views(typed: Sequence[str], actor: Actor) -> list[Entry]:
    """One's own saved views and the shared ones, by words of their names and of the lists they are of."""
    found = [one for one in views.visible(actor) if _fits(Place(one.view.name, "", P.OWN_WORK, one.place.label), typed)]
    return [
        Entry(one.view.name, one.url, f"{one.place.label} · shared" if one.view.shared else one.place.label)
        for one in found[:MOST_VIEWS]
    ]


def _clients(text: str) -> list[Entry]:
    page = search.find(
        search.ClientFilter(text=text), order=search.Order("created", True), zone=clock.calendar().zone, size=MOST
    )
    return [
        Entry(row.name, f"/clients/{row.id}", " · ".join(filter(None, (row.type.capitalize(), row.country))))
        for row in page.rows
    ]


def _accounts(text: str, *, names: bool) -> list[Entry]:
    page = account_list.find(account_list.wanted(account_list.ListFilter(text=text)), size=MOST)
    known = owners.directory().named({row.owner_id for row in page.rows if row.owner_id}) if names else {}
    found = []
    for row in page.rows:
        owner = known.get(row.owner_id) if row.owner_id else None
        about = " · ".join(filter(None, (row.currency.upper(), row.alias, owner.name if owner else None)))
        found.append(Entry(row.number, f"/ledger/accounts/{row.id}", about))
    return found


def _transfer(row: Transfer) -> Entry:
    return Entry(title_of(row), f"/transfers/{row.id}", row.provider_reference or row.end_to_end_id or str(row.id)[:8])


def _transfers(text: str) -> list[Entry]:
    by_reference = transfers.with_reference(text)
    if by_reference:
        return [_transfer(row) for row in transfers.read(by_reference)]
    if finding.is_amount(text):
        amount = Decimal(finding.exact(text))
        chosen = transfers.TransferFilter(amount_from=amount, amount_to=amount)
    else:
        chosen = transfers.TransferFilter(text=text)
    return [_transfer(row) for row in transfers.find(chosen, size=MOST).rows]


def clean(text: str) -> str:
    """What was typed, as it is looked for."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:LONGEST]


def find(text: str, *, by: Actor) -> list[Group]:
    """What `text` may mean, the surest first; without a text every page and act."""
    typed = words(text)
    acts = [place for place in ACTS if by.may(place.permission)]
    groups = [Group("pages", "Pages", _entries(_pages(by), typed)), Group("acts", "Actions", _entries(acts, typed))]
    groups.append(Group("views", "Saved views", _views(typed, by)))
    if text and not typed:
        # nothing but signs: it begins no word
        groups = []
    if len(text) >= SHORTEST:
        if by.may(P.CLIENTS_READ):
            groups.append(Group("clients", "Clients", _clients(text)))
        if by.may(P.LEDGER_READ):
            groups.append(Group("accounts", "Accounts", _accounts(text, names=by.may(P.CLIENTS_READ))))
        if by.may(P.TRANSFERS_READ):
            groups.append(Group("transfers", "Transfers", _transfers(text)))
    if text and by.may(P.CLIENTS_READ):
        everything = Entry(f"Search for “{text}”", "/search?" + urlencode({"text": text}))
        groups.append(Group("search", "Search", [everything]))
    return [group for group in groups if group.entries]
