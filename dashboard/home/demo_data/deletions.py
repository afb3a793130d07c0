"""A few wishes to be deleted, each at another place of its way, told by the product's own verbs."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.clients import deletion
from dashboard.clients import services as clients
from dashboard.clients.models import Client
from dashboard.clients.retention import Channel, Ground, HoldCode
from dashboard.clients.vocabulary import ClientType, Status
from dashboard.database import session, transaction
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember


def _actor(email: str) -> Actor | None:
    member = session().scalar(sa.select(StaffMember).where(StaffMember.email == email))
    return staff.actor_of(member) if member else None


def _oldest(status: Status, many: int) -> list[Client]:
    """People, the oldest first: those of the other stories are young."""
    return list(
        session().scalars(
            sa.select(Client)
            .where(
                Client.status == status.value,
                Client.type == ClientType.INDIVIDUAL.value,
                Client.open_flags == 0,
                Client.restricted_at.is_(None),
            )
            .order_by(Client.created_at, Client.id)
            .limit(many)
        )
    )


def tell() -> int:
    """Gives how many wishes; none where there are too few clients or no demo colleagues."""
    officer, senior = _actor("officer@demo.example"), _actor("senior.officer@demo.example")
    active, gone = _oldest(Status.ACTIVE, 4), _oldest(Status.CLOSED, 12)
    gone = [client for client in gone if not deletion.obstacles(client.id)]
    if officer is None or senior is None or len(active) < 4 or len(gone) < 2:
        return 0
    today = clock.calendar().today()

    def wish(client: Client, channel: Channel, days: int, reason: str | None = None) -> object:
        with transaction():
            return clients.request_deletion(
                client.id, channel=channel, reason=reason, received_on=today - timedelta(days=days), by=officer
            ).id

    wish(active[0], Channel.LETTER, 3, "Moves to another bank.")
    wish(active[1], Channel.EMAIL, 27)
    wish(active[2], Channel.PHONE, 12)
    with transaction():
        clients.place_hold(active[2].id, code=HoldCode.LITIGATION, reference="File 2-26-114", by=officer)
    wish(active[3], Channel.LETTER, 9)
    with transaction():
        refused = deletion.open_request(active[3].id)
        assert refused is not None
        clients.refuse_deletion(
            refused.id, ground=Ground.NOT_THE_CLIENT, reason="The signature is another one.", by=officer
        )
    for client in gone[:2]:
        wish(client, Channel.LETTER, 5)
        with transaction():
            asked = deletion.open_request(client.id)
            assert asked is not None
            approval = clients.ask_to_purge(asked.id, reason="Nothing is left.", by=officer)
        if client is gone[0]:
            with transaction():
                approvals.decide(approval.id, approve=True, reason=None, by=senior)
    return 6
