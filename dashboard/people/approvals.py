"""What of staff and tokens takes a second person. `app.py` registers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access import tokens
from dashboard.access.actor import Actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import POWERFUL, ROLES, Audience, Permission, Role
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.people import words
from dashboard.people.models import StaffInvitation
from dashboard.people.services import changing, inviting, machines
from dashboard.staff.models import StaffMember

#: names of clients by id: they are of a higher package
_clients: list[Callable[[Collection[UUID]], dict[UUID, str]]] = []


def learn_clients(names: Callable[[Collection[UUID]], dict[UUID, str]]) -> None:
    """Take what names clients; called once by the application factory."""
    _clients[:] = [names]


def _links(actor: Actor, label: str, url: str) -> tuple[Link, ...]:
    return (Link(label, url),) if actor.may(Permission.STAFF_MEMBERS) else ()


def invitation_details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """Address and role, and who has the same name already; the invitation once it stands."""
    ids = {request.object_id for request in requests}
    made = set(session().scalars(sa.select(StaffInvitation.id).where(StaffInvitation.id.in_(ids))))
    same = _of_the_name({request.payload["name"] for request in requests})
    return {
        request.id: Detail(
            short=request.payload["email"],
            lines=(
                Line("E-mail", (request.payload["email"],)),
                Line("Role", (_role(request.payload["role"]),)),
                *(
                    Line("Also the name of", (who,))
                    for who in same.get(request.payload["name"].lower(), ())
                    if request.state == "requested"
                ),
            ),
            links=_links(actor, "The invitation", f"/staff/invitations/{request.object_id}")
            if request.object_id in made
            else (),
        )
        for request in requests
    }


def _of_the_name(names: Collection[str]) -> dict[str, list[str]]:
    """Active colleagues by their name in small letters: address and role of each."""
    found: dict[str, list[str]] = {}
    for member in session().scalars(
        sa.select(StaffMember)
        .where(sa.func.lower(StaffMember.name).in_({name.lower() for name in names}), StaffMember.disabled_at.is_(None))
        .order_by(StaffMember.email_key)
    ):
        found.setdefault(member.name.lower(), []).append(f"{member.email}, {member.role_row.label.lower()}")
    return found


def _role(role: str) -> str:
    row = ROLES[Role(role)]
    return f"{row.label}. {row.summary}"


def member_details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """Whom it is about, in one query for a whole list; the tokens that end with power over staff."""
    ids = {request.object_id for request in requests}
    rows = session().execute(sa.select(StaffMember.id, StaffMember.email).where(StaffMember.id.in_(ids)))
    known = {row.id: row.email for row in rows}
    losing = {request.object_id for request in requests if _takes_power(request)}
    ending: dict[UUID, list[str]] = {}
    if losing:
        for owner, name in session().execute(
            sa.select(ApiToken.owner_id, ApiToken.name)
            .where(ApiToken.owner_id.in_(losing), *tokens.usable(), tokens.TAKES_TWO)
            .order_by(ApiToken.id)
        ):
            assert owner is not None  # by the condition
            ending.setdefault(owner, []).append(name)
    return {
        request.id: Detail(
            short=known.get(request.object_id, ""),
            lines=(
                Line("E-mail", (known.get(request.object_id, ""),)),
                Line("What the role may", (_role(request.payload["role"]),)),
                *(
                    (Line("Tokens that are refused then", (", ".join(ending[request.object_id]),)),)
                    if _takes_power(request) and request.object_id in ending
                    else ()
                ),
            ),
            links=_links(actor, "The person", f"/staff/{request.object_id}"),
        )
        for request in requests
    }


def _takes_power(request: ApprovalRequest) -> bool:
    """Whether an open request would end the power over staff."""
    if request.kind != changing.CHANGE_ROLE or request.state != "requested":
        return False
    before, after = (ROLES[Role(request.payload[which])].permissions for which in ("from", "role"))
    return Permission.STAFF_WRITE in before - after


def token_details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """Every scope in words, the powerful ones first; the client that it speaks for, by name where the reader may open
    clients; the token once it stands."""
    ids = {request.object_id for request in requests}
    made = set(session().scalars(sa.select(ApiToken.id).where(ApiToken.id.in_(ids))))
    strong = {scope.value for scope in POWERFUL}
    named: dict[UUID, str] = {}
    clients = {UUID(request.payload["clientId"]) for request in requests if request.payload["clientId"]}
    if clients and actor.may(Permission.CLIENTS_READ):
        for names in _clients:
            named.update(names(clients))
    found = {}
    for request in requests:
        scopes = request.payload["scopes"]
        powerful = [scope for scope in scopes if scope in strong]
        plain = [scope for scope in scopes if scope not in strong]
        lines = [
            Line("Audience", (request.payload["audience"],)),
            *(Line("Powerful scope", (": ".join(words.scope(Permission(scope))),)) for scope in powerful),
        ]
        links: tuple[Link, ...] = ()
        if request.object_id in made:
            links += _links(actor, "The token", f"/staff/tokens/{request.object_id}")
        if request.payload["clientId"]:
            client = request.payload["clientId"]
            name = named.get(UUID(client))
            lines.append(Line("Speaks for the client", (f"{name} ({client})" if name else client,)))
            if name:
                links += (Link(name, f"/clients/{client}"),)
        if request.payload["audience"] == Audience.INTEGRATION:
            lines.append(Line("Speaks for the partner", (request.payload["partner"],)))
        if plain:
            lines.append(Line("Other scopes", (machines.in_words(plain),)))
        lines.append(Line("Expires", (f"{request.payload['days']} days after the approval",)))
        found[request.id] = Detail(
            short=machines.in_words(powerful) or request.payload["audience"], lines=tuple(lines), links=links
        )
    return found


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state == "approved" and request.kind == inviting.INVITE:
        return (
            f"Approved: {request.subject} may join. {request.maker_name} makes the link; where it is not e-mailed,"
            f" {request.decider_name} hands over a joining code."
        )
    if request.state == "approved" and request.kind == machines.CREATE:
        return f"Approved the token {request.subject}. {request.maker_name} takes its secret."
    if request.state != "stale":
        return None
    what = "role or state of somebody concerned" if request.kind != inviting.INVITE else "the address, or who asked,"
    return f"This request has gone stale: {what} changed meanwhile. Nothing was changed by you."


KINDS: tuple[Kind, ...] = (
    Kind(
        key=inviting.INVITE,
        label="Invite",
        permission=Permission.STAFF_DECIDE,
        fingerprint=inviting.fingerprint,
        execute=inviting.execute,
        done="Invited",
        noun="Invitation",
        details=invitation_details,
        closed=closed,
        asked_with=Permission.STAFF_WRITE,
    ),
    Kind(
        key=changing.CHANGE_ROLE,
        label="Change the role of",
        permission=Permission.STAFF_DECIDE,
        fingerprint=changing.fingerprint,
        execute=changing.execute_role,
        done="Changed the role of",
        noun="Role",
        details=member_details,
        closed=closed,
        asked_with=Permission.STAFF_WRITE,
    ),
    Kind(
        key=changing.ENABLE,
        label="Let … sign in again",
        permission=Permission.STAFF_DECIDE,
        fingerprint=changing.fingerprint,
        execute=changing.execute_enable,
        done="Signing in is open again for",
        noun="Return",
        details=member_details,
        closed=closed,
        asked_with=Permission.STAFF_WRITE,
    ),
    Kind(
        key=machines.CREATE,
        label="Make the token",
        permission=Permission.STAFF_DECIDE,
        fingerprint=machines.fingerprint,
        execute=machines.execute,
        done="Made the token",
        noun="Token",
        details=token_details,
        closed=closed,
        asked_with=Permission.STAFF_WRITE,
    ),
)
