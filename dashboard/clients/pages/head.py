"""What stands above every tab of a client: badges, what waits for a decision, blocks, and what may be done."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import queries as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.rows import RequestRow, rows
from dashboard.clients import queries
from dashboard.clients.badges import Badge, in_words, kyc_badge, mark_badges, risk_badge, status_badge
from dashboard.clients.blocks import BlockView
from dashboard.clients.calendar import calendar
from dashboard.clients.marking import marks_of
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
    #: marks that stand, one badge for each kind; of sanctions only for who may see it
    marks: list[Badge]
    may_block: bool
    may_lift: bool
    may_edit: bool
    may_note: bool
    may_activate: bool
    may_settle: bool
    may_open_requests: bool
    may_see_documents: bool
    sees_restricted: bool
    #: processing is restricted and this reader does not work on it: the personal facts are not shown
    facts_rest: bool = False
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
    if client.purged_at is not None:
        return []
    reasons = []
    if client.restricted_at is not None and actor.may(Permission.CLIENTS_WRITE):
        reasons.append("Editing is not offered: processing is restricted while a request for deletion is open.")
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
    # what a block covers: an active client needs no activation
    if actor.may(Permission.CLIENTS_ACTIVATE) and (client.status_before_block or client.status) == Status.INACTIVE:
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
    requests = approvals.open_for_client(client.id, actor=actor)
    told = rows(requests, actor=actor, idle=idle())
    pending = [_pending(request, row, actor) for request, row in zip(requests, told, strict=True)]
    lifting = {request.object_id: request for request in requests if request.kind == "client.unblock"}
    blocks = queries.blocks_of(client.id, actor=actor)
    today = calendar().today()
    gone = client.purged_at is not None
    freeze = queries.freezes([client]).get(client.id)
    obstacle = activation_obstacle(client, sees_restricted=actor.sees_restricted)
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
        marks=mark_badges({mark.kind for mark in marks_of(client.id, actor=actor)}),
        may_block=actor.may(Permission.CLIENTS_BLOCK) and not gone,
        may_lift=actor.may(Permission.CLIENTS_UNBLOCK),
        may_edit=actor.may(Permission.CLIENTS_WRITE) and client.restricted_at is None and not gone,
        may_note=actor.may(Permission.CLIENTS_WRITE) and not gone,
        may_activate=actor.may(Permission.CLIENTS_ACTIVATE) and obstacle is None and not asked_activation and not gone,
        may_settle=actor.may(Permission.CLIENTS_REVIEW) and not gone,
        may_open_requests=actor.may(Permission.APPROVALS_READ),
        may_see_documents=actor.may(Permission.DOCUMENTS_READ),
        sees_restricted=actor.sees_restricted,
        facts_rest=client.restricted_at is not None
        and not (actor.may(Permission.CLIENTS_ERASE) or actor.sees_restricted),
        not_offered=_not_offered(client, actor, pending, obstacle),
    )
