"""The names of a list's filters stand once, in its declaration: page, file, form and evidence ask for no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import ImmutableMultiDict

from dashboard.access.permissions import Role
from dashboard.home import looks
from dashboard.views import lists
from tests.conftest import People
from tests.exports.test_every_list import LISTS, addresses
from tests.furnished import Furnished

#: what pages ask for beside their list: the place in it, what was searched, a tab, the day of figures above the list,
#: how the message of the receipt beside it is shown, the account that a form under the list begins with
BESIDE = {*lists.PLACES, *looks.SEARCHED, "tab", "day", "raw", "account"}


class Asked(Mapping[str, str]):
    """An address without a filter, that remembers which ones it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Listening(ImmutableMultiDict[str, str]):
    """The query of a request, that remembers which names were looked up."""

    names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, *rest: Any, **options: Any) -> Any:
        self.names.add(name)
        return super().get(name, *rest, **options)

    def getlist(self, name: str, *rest: Any) -> list[Any]:
        self.names.add(name)
        return super().getlist(name, *rest)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)


def test_what_reads_the_filters_of_a_list_knows_those_that_it_declares(app: Flask, people: People) -> None:
    actor = people.actor(Role.AUDITOR)
    for code, place in lists.places().items():
        reads, asked = place.listed.reads, Asked()
        reads(asked, actor)
        # choices have no more than their names: what is typed is not among them
        known = set(reads.names) | set(place.listed.leaves) if hasattr(reads, "names") else asked.names
        assert known - set(lists.PLACES) == place.filters, code


def test_pages_and_files_ask_for_the_filters_that_their_list_declares_and_evidence_knows_the_same(
    furnished: Furnished,
    reading: Callable[[Role], FlaskClient],
    house: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, listening = furnished.app, furnished.app.request_class

    class Request(listening):  # type: ignore[misc,valid-type]
        parameter_storage_class = Listening

    monkeypatch.setattr(app, "request_class", Request)
    for one in LISTS:
        page, export = addresses(one, house, "csv")
        endpoint = app.url_map.bind("localhost").match(export.partition("?")[0])[0]
        declared = lists.downloaded()[endpoint]
        for address, known in ((page, declared | BESIDE), (export, looks.filters_of(endpoint) | {*lists.PLACES})):
            Listening.names.clear()
            assert reading(one.role).get(address).status_code == 200, address
            assert known >= Listening.names, f"{address} asks for {Listening.names - known}, which is not declared"
        # some filters are of one view of the list, and not of the one that stands in the table
        assert reading(one.role).get(export.partition("?")[0]).status_code == 200
        assert Listening.names >= declared, f"{export} never asks for {declared - Listening.names}"


def test_every_download_declares_its_filters(application: Flask) -> None:
    """Of what is neither a list nor made by filters, nobody could tell a name."""
    documents = {
        "exports.download", "statements.refused", "transfers.receipt_file", "treasury.evidence_file",
    }  # fmt: skip
    downloads = set(looks.NO_LOOK["a download: an event each time"])
    assert downloads - documents <= set(lists.downloaded()), downloads - documents - set(lists.downloaded())
    assert documents <= downloads and not documents & set(lists.downloaded())
