"""The search box of the top bar."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from dashboard.access.permissions import Role

SignIn = Callable[..., FlaskClient]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Ilves", "/clients?text=Ilves"),
        ("LT13 9999 9000 0000 5817", "/ledger/accounts?text=LT13+9999+9000+0000+5817"),
        ("5817", "/ledger/accounts?text=5817"),
        ("LT…5817", "/ledger/accounts?text=LT%E2%80%A65817"),
        ("1250.00", "/ledger/transactions?amount_from=1250.00&amount_to=1250.00"),
        ("1,250.00", "/ledger/transactions?amount_from=1250.00&amount_to=1250.00"),
        ("1250,00", "/ledger/transactions?amount_from=1250.00&amount_to=1250.00"),
        ("+370 612 34567", "/clients?text=%2B370+612+34567"),
        ("anna@example.com", "/clients?text=anna%40example.com"),
        ("", "/clients?text="),
        ("https://evil.example/", "/clients?text=https%3A%2F%2Fevil.example%2F"),
    ],
)
def test_what_was_typed_says_where_it_is_found(signed_in: SignIn, text: str, place: str) -> None:
    answer = signed_in(Role.OFFICER).get("/search", query_string={"text": text})
    assert (answer.status_code, answer.headers["Location"]) == (302, place)
    assert signed_in(Role.OFFICER).get(place).status_code == 200


def test_who_may_not_see_clients_has_no_search(signed_in: SignIn) -> None:
    assert signed_in(Role.ADMIN).get("/search?text=x").status_code == 403
