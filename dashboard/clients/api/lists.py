"""CP-04: clients by filters."""

from __future__ import annotations

from datetime import date
from typing import Any

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import countries, search
from dashboard.clients.api.blueprint import SYSTEM, client_operations
from dashboard.clients.calendar import calendar
from dashboard.clients.dto import ClientList, client_dtos
from dashboard.clients.schemas import SEVERITIES, ClientQuery
from dashboard.clients.search import ClientFilter, Order
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal

#: days beyond these mean "any": PostgreSQL and Python end elsewhere
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def _filter(query: ClientQuery) -> ClientFilter:
    return ClientFilter(
        text=query.text.strip(),
        statuses=tuple(query.status),
        types=tuple(query.type),
        risks=tuple(query.risk_level),
        countries=tuple(filter(None, map(countries.stored, query.country))),
        flags=tuple(query.flags),
        severity=SEVERITIES[query.severity].value if query.severity else 0,
        created_from=max(query.created_from, EARLIEST) if query.created_from else None,
        created_to=min(query.created_to, LATEST) if query.created_to else None,
        sees_restricted=current_actor().sees_restricted,
    )


@client_operations.get(
    "/internal/Clients",
    tags=SYSTEM,
    summary="Find clients by filters",
    description="Clients that were there before the first page, and whose sort key does not change, come exactly once.",
    operation_id="findClients",
    responses={200: ClientList, **documented_errors()},
)
@api_requires(Audience.SYSTEM, Permission.CLIENTS_READ)
def find_clients(query: ClientQuery) -> dict[str, Any]:
    chosen = _filter(query)
    order = Order(query.sort, (query.direction or ("desc" if query.sort == "created" else "asc")) == "desc")
    bound = {"list": "CP-04", "filter": chosen.as_json(), "sort": order.sort, "descending": order.descending}
    position = unseal(query.cursor, bound=bound)
    zone = calendar().zone
    page = search.find(chosen, order=order, zone=zone, size=query.page_size, after=position.key if position else None)
    following = seal(Position(order.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = search.count(chosen, zone=zone) if query.include_total else None
    return listed(client_dtos(page.rows), following, total)
