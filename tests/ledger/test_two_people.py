"""Whoever reaches the ledger's function past the services: an adjusting payment still needs two people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience, Role
from dashboard.database import constraint_of, session, transaction
from dashboard.ledger import moving
from dashboard.ledger.vocabulary import ParentType, PaymentState
from tests.conftest import People
from tests.ledger.conftest import Book


def refused(book: Book, by: Actor, **options: Any) -> str | None:
    order = book.order(
        book.account(100), book.account(), 1, parent_type=ParentType.ADJUSTING_PAYMENT, purpose="main", **options
    )
    try:
        with transaction():
            moving.create([order], PaymentState.POSTED, by=by)
    except sa.exc.IntegrityError as error:
        return constraint_of(error)
    return None


@pytest.mark.parametrize("role", [Role.TREASURER, Role.SENIOR_TREASURER, Role.ADMIN])
def test_one_person_alone_makes_no_adjusting_payment(book: Book, people: People, role: Role) -> None:
    assert refused(book, people.actor(role)) == "payment_adjusting_needs_approval"


def test_an_approval_of_another_payment_does_not_serve(book: Book, people: People) -> None:
    boss = people.actor(Role.SENIOR_TREASURER)
    assert refused(book, boss) == "payment_adjusting_needs_approval"
    assert session().scalar(sa.text("SELECT count(*) FROM payment WHERE parent_type = 'adjustingPayment'")) == 0


def test_a_token_without_the_scope_makes_none_and_one_with_it_does(book: Book, machine: Callable[..., Any]) -> None:
    plain = machine(Audience.SYSTEM)
    trusted = machine(Audience.SYSTEM, scopes=["all"])

    def actor(token: Any) -> Actor:
        return Actor(kind="token", id=token.token_id, name="t", role="system")

    assert refused(book, actor(plain)) == "payment_adjusting_needs_approval"
    assert refused(book, actor(trusted)) is None
