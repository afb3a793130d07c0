"""What stands above every tab of a client: badges, what waits for a decision, blocks, and what may be done."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.rows import RequestRow, rows
from dashboard.clients import queries
from dashboard.clients.badges import Badge, in_words, kyc_badge, risk_badge, status_badge
from dashboard.clients.blocks import BlockView
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client
from dashboard.clients.pages.deciders import idle
from dashboard.clients.services import activation_obstacle, verification_of
from dashboard.clients.vocabulary import Status


@dataclass(frozen=True)
class Pending:
    """A request that waits. `why_not` None: this reader may decide it. `reason` only for who may see it."""

    request: ApprovalRequest
    row: RequestRow
    what: str
    before: Badge
    after: Badge
    mine: bool
    why_not: str | None
    reason: str | None

    @property
    def url(self) -> str:
        """The pages of approvals stand above this package; they are reached by their address."""
        return f"/approvals/{self.request.id}"


@dataclass(frozen=True)
class BlockLine:
    """A block that stands. `asked` is the open request to lift it."""

    block: BlockView
    placed_by: str
    asked: ApprovalRequest | None
    late: bool


@dataclass(frozen=True)
class Head:
    client: Client
    status: Badge
    risk: Badge
    kyc: Badge | None
    pending: list[Pending]
    blocks: list[BlockLine]
    may_block: bool
    may_lift: bool
    may_edit: bool
    may_activate: bool
    may_settle: bool
    may_open_requests: bool
    sees_restricted: bool
    #: what is not offered, and why
    not_offered: list[str] = field(default_factory=list)


def _pending(request: ApprovalRequest, row: RequestRow, actor: Actor) -> Pending:
    turn = row.turns[0]
    return Pending(
        request=request,
        row=row,
        what=row.asked,
        before=in_words(turn.before),
        after=in_words(turn.after),
        mine=row.asked_by_me,
        why_not=row.why_not,
        reason=request.reason if actor.sees_restricted or not request.restricted else None,
    )


def _not_offered(client: Client, actor: Actor, pending: list[Pending], obstacle: str | None) -> list[str]:
    reasons = []
    left_out = [
        word
        for permission, word in (
            (Permission.CLIENTS_BLOCK, "blocking"),
            (Permission.CLIENTS_WRITE, "editing"),
            (Permission.CLIENTS_ACTIVATE, "activating"),
        )
        if not actor.may(permission)
    ]
    if left_out:
        words = f"{', '.join(left_out[:-1])} and {left_out[-1]}" if len(left_out) > 1 else left_out[0]
        verb = "are" if len(left_out) > 1 else "is"
        role = ROLES[Role(actor.role)].label if actor.role in set(Role) else actor.role
        reasons.append(f"{words.capitalize()} {verb} not offered: your role ({role}) cannot do it.")
    asked = {waiting.request.kind for waiting in pending}
    if actor.may(Permission.CLIENTS_ACTIVATE) and client.status not in (Status.ACTIVE, Status.CLOSED):
        if obstacle:
            reasons.append(f"Activating is not offered: {obstacle[:1].lower()}{obstacle[1:]}")
        elif "client.activate" in asked:
            reasons.append("Activating is not offered: it has been asked already.")
    for waiting in pending:
        # the banner says it too; here only what the reader began
        if waiting.mine and waiting.why_not:
            text = waiting.why_not
            reasons.append(f"Deciding “{waiting.what}” is not offered: {text[:1].lower()}{text[1:]}")
    return reasons


def head_of(client: Client, *, actor: Actor) -> Head:
    """Everything above the tabs, as this reader may see it."""
    requests = approvals.open_for_client(client.id)
    told = rows(requests, actor=actor, idle=idle())
    pending = [_pending(request, row, actor) for request, row in zip(requests, told, strict=True)]
    lifting = {request.object_id: request for request in requests if request.kind == "client.unblock"}
    blocks = queries.blocks_of(client.id, actor=actor)
    today = calendar().today()
    freeze = queries.freezes([client]).get(client.id)
    obstacle = activation_obstacle(client)
    asked_activation = any(request.kind == "client.activate" for request in requests)
    return Head(
        client=client,
        status=status_badge(client, freeze),
        risk=risk_badge(client.risk_level),
        kyc=kyc_badge(verification_of(client.id), sees_restricted=actor.sees_restricted),
        pending=pending,
        blocks=[
            BlockLine(block, block.placed_by(actor.id), lifting.get(block.id), block.review_date < today)
            for block in blocks
        ],
        may_block=actor.may(Permission.CLIENTS_BLOCK),
        may_lift=actor.may(Permission.CLIENTS_UNBLOCK),
        may_edit=actor.may(Permission.CLIENTS_WRITE),
        may_activate=actor.may(Permission.CLIENTS_ACTIVATE) and obstacle is None and not asked_activation,
        may_settle=actor.may(Permission.CLIENTS_REVIEW),
        may_open_requests=actor.may(Permission.APPROVALS_READ),
        sees_restricted=actor.sees_restricted,
        not_offered=_not_offered(client, actor, pending, obstacle),
    )
