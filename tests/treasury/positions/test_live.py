"""What is shown as being now."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from flask import Flask

from dashboard import clock
from dashboard.treasury.positions.queries import live
from dashboard.treasury.positions.queries.clients import Pair


def test_a_slow_reading_of_what_is_now_is_shown_again_for_a_while_with_its_moment(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def reading() -> dict[Pair, live.Live]:
        nonlocal read
        read += 1
        return {("eMoney", "eur"): live.Live("eMoney", "eur", read, 0, 0, 0, 0, clock.now())}

    monkeypatch.setattr(live, "_read", reading)
    monkeypatch.setattr(live, "_shown", {})
    seconds = iter([0.0, 0.05, 1.0, 1.2, 2.0, 5.1, 5.2, 5.4, 70.0, 75.0, 80.0, 134.9, 135.1, 135.2])
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: next(seconds)))

    def client() -> int:
        return live.now()["eMoney", "eur"].client

    assert client() == 1, "quick"
    assert client() == 2, "so the next one reads again; it took 0.2 s"
    assert client() == 2, "and is shown for 4 s"
    assert client() == 2
    assert client() == 3, "then it is read again"
    assert client() == 4, "this one took 5 s"
    assert [client(), client()] == [4, 4], "and is shown for a minute, no longer"
    assert client() == 5
