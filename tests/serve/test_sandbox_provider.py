"""The demo's provider is started beside the demo, and nowhere else."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dashboard import serve
from dashboard.settings import load
from dashboard.transfers.simulator.serving import run

GOOD = {"SECRET_KEY": "x" * 32, "SECOND_FACTOR_KEY": "f" * 32, "DATABASE_URL": "postgresql://u@h/d"}


def supervisor(folder: Path, monkeypatch: pytest.MonkeyPatch, **env: str) -> serve.Supervisor:
    """One that finds the demo's provider in its database, and whose processes are only remembered."""
    made = serve.Supervisor(load({**GOOD, "INSTANCE_PATH": str(folder), **env}))
    monkeypatch.setattr(made, "_ask", lambda *_: "1")
    monkeypatch.setattr(made, "_spawn", lambda _child: None)
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_demo_has_a_provider_that_executes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = supervisor(tmp_path, monkeypatch, SANDBOX_PORT=str(free_port()))
    house._start_sandbox(house._load_demo())
    assert house.sandbox is not None and house.sandbox in house._children()


def test_production_has_none_whatever_its_database_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = supervisor(tmp_path, monkeypatch, ENVIRONMENT="production", SANDBOX_PORT=str(free_port()))
    house._start_sandbox(house._load_demo())
    assert house.sandbox is None


def test_a_taken_port_is_said_in_one_line_and_the_house_starts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        house = supervisor(tmp_path, monkeypatch, SANDBOX_PORT=str(port))
        house._start_sandbox(True)
    assert house.sandbox is None
    [line] = capsys.readouterr().out.splitlines()
    assert f"port {port} is taken by another program" in line and "SANDBOX_PORT" in line


def test_production_knows_no_demo_secret(tmp_path: Path) -> None:
    settings = load({**GOOD, "INSTANCE_PATH": str(tmp_path), "ENVIRONMENT": "production"})
    assert settings.sandbox_secret is None
    with pytest.raises(SystemExit, match="SANDBOX_SECRET is required"):
        run(settings)
