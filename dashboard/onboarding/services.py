"""Bringing clients in from partners. Whatever the document accepts is accepted; doubts become flags."""

from __future__ import annotations

from dashboard.access.actor import Actor
from dashboard.clients import services as clients
from dashboard.clients.models import Client
from dashboard.clients.profile import Profile

#: of a token that names no partner of its own
DEFAULT_PARTNER = "default"


def import_client(profile: Profile, *, external_id: str, by: Actor) -> Client:
    """A new inactive client of the actor's partner: a person, or a company with its people.

    Raises Conflict `externalIdTaken` when the partner has sent this id before, for whichever type: the unique
    constraint decides, so of two at the same moment one is stored and the other is told.
    """
    return clients.create(profile, by=by, partner=by.partner or DEFAULT_PARTNER, external_id=external_id)
