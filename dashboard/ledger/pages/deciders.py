"""Who could decide what the reader is about to ask, in words."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app

from dashboard.access.actor import Actor
from dashboard.approvals import queries as approvals
from dashboard.approvals.names import people_in_words
from dashboard.settings import Settings


def who_can_decide(kind_key: str, *, maker: Actor) -> str:
    """`Senior treasurers: R. Kask (signed in), T. Mets`."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    idle = timedelta(minutes=settings.session_idle_minutes)
    return people_in_words(approvals.deciders_for(maker, kind_key, idle=idle), maker.id)
