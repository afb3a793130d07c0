"""Asking to lift a block. Another person decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.badges import in_words
from dashboard.clients.forms import ReasonForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deciders import who_can_decide
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.services.block import status_in_words
from dashboard.clients.services.unblock import KIND as UNBLOCK
from dashboard.clients.services.unblock import lift_obstacle
from dashboard.clients.vocabulary import Status
from dashboard.web.htmx import go


@clients.route("/<uuid:client_id>/blocks/<uuid:block_id>/lift", methods=["GET", "POST"])
@requires(Permission.CLIENTS_UNBLOCK)
def lift(client_id: UUID, block_id: UUID) -> Any:
    """The dialog that asks for a second person, and the request."""
    actor = current_actor()
    client = queries.get(client_id)
    placed = queries.block_of(client_id, block_id, actor=actor)
    form = ReasonForm()
    status = 200
    if request.method == "POST":
        refused = attempt(form, lambda: services.ask_to_unblock(block_id, reason=form.reason.data or "", by=actor))
        if refused is None:
            flash(f"Asked to lift the {placed.named}. Another person decides.", "wait")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    standing = queries.blocks_of(client_id, actor=actor)
    others = [block for block in standing if block.id != block_id]
    rest = [block.scope for block in others]
    after = client.status if rest else client.status_before_block or Status.INACTIVE.value
    return dialog(
        client,
        "clients/_lift.html",
        title=f"Lift the {placed.named} of {client.name}",
        form=form,
        status=status,
        placed=placed,
        placed_by=placed.placed_by(actor.id),
        others=others,
        before=in_words(status_in_words(client.status, [block.scope for block in standing])),
        after=in_words(status_in_words(after, rest)),
        obstacle=lift_obstacle(block_id, sees_restricted=actor.sees_restricted),
        who=who_can_decide(UNBLOCK, maker=actor),
    )
