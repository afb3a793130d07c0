"""Who could decide what the reader is about to ask, in words."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app

from dashboard.access.actor import Actor
from dashboard.approvals import queries as approvals
from dashboard.approvals.names import people_in_words
from dashboard.settings import Settings


def idle() -> timedelta:
    """How long a session counts as signed in."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return timedelta(minutes=settings.session_idle_minutes)


def who_can_decide(kind_key: str, *, maker: Actor) -> str:
    """`Senior officers: R. Kask (signed in), T. Mets`."""
    return people_in_words(approvals.deciders_for(maker, kind_key, idle=idle()), maker.id)
