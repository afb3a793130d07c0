"""Two people on one review, a mark and an activation at the same moment: one wins, the other is told."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.models import Client, ClientFlag, ClientReview
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import MarkKind
from dashboard.database import session, transaction
from dashboard.errors import Conflict
from dashboard.jobs import schedule
from tests.clients.test_at_once import at_once, client_id, officers

__all__ = ["client_id", "officers"]


def test_of_two_reviews_one_is_completed_and_of_two_nights_each_does_its_part(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    def review(by: Actor) -> UUID:
        return services.complete_review(
            client_id, risk_level=2, outcome="continue", reasons=f"Seen by {by.name}", by=by
        ).id

    results = at_once(committed, [lambda by=by: review(by) for by in officers])
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True, True]
    assert session().scalar(sa.select(sa.func.count()).select_from(ClientReview)) == 1
    settings = committed.extensions["countinghouse.settings"]
    session().rollback()
    nights = at_once(committed, [lambda: schedule.review_clients(settings)] * 2)
    assert all(isinstance(figures, dict) for figures in nights)


def test_a_mark_and_an_activation_never_both_win(committed: Flask, officers: list[Actor], client_id: UUID) -> None:
    maker, *seniors = officers
    with transaction():
        asked = services.ask_to_activate(client_id, reason="Seen", by=maker).id
    session().rollback()
    at_once(
        committed,
        [
            lambda: approvals.decide(asked, approve=True, reason=None, by=seniors[0]).state,
            lambda: (
                services.open_mark(
                    client_id, kind=MarkKind.SANCTIONS, list_name="EU list", said_by="Screening", by=seniors[1]
                ).id
            ),
        ],
    )
    assert session().get_one(Client, client_id).status == "blocked"
    session().rollback()


def test_of_two_who_take_a_flag_one_has_it(committed: Flask, officers: list[Actor], client_id: UUID) -> None:
    with transaction():
        client = services.create(
            IndividualProfile(first_name="Anu", last_name="Ilves", residence_country="XX"), by=officers[0]
        )
        flag_id = session().scalar(sa.select(ClientFlag.id).where(ClientFlag.client_id == client.id))
    assert flag_id is not None
    session().rollback()
    results = at_once(
        committed, [lambda by=by: services.own_flag(flag_id, owner_id=by.id, by=by).owner_id for by in officers]
    )
    won = [result for result in results if not isinstance(result, Conflict)]
    assert len(won) == 1
    assert session().scalar(sa.select(ClientFlag.owner_id).where(ClientFlag.id == flag_id)) == won[0]
    session().rollback()
