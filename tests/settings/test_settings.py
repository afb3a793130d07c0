"""A wrong setting stops the start with one clear line."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.settings import SettingsError, load

GOOD = {"SECRET_KEY": "x" * 32, "DATABASE_URL": "postgresql://u@h/d", "ENVIRONMENT": "production"}


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "eighty"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
        ({"DEMO": "maybe"}, "DEMO"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"INSTITUTION_ZONE": "Mars/Base"}, "INSTITUTION_ZONE"),
        ({"INSTITUTION_COUNTRY": "Lithuania"}, "INSTITUTION_COUNTRY"),
        ({"ENVIRONMENT": "production", "DATABASE_URL": "postgresql://u@h/d"}, "SECRET_KEY"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "short", "DATABASE_URL": "postgresql://u@h/d"}, "SECRET_KEY"),
        ({"ENVIRONMENT": "production", "SECRET_KEY": "x" * 32}, "DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(env)
    assert named in caught.value.message
    assert "\n" not in caught.value.message


def test_production_never_loads_demo_data_and_sends_cookies_over_https_only() -> None:
    settings = load({**GOOD, "DEMO": "1"})
    assert settings.demo is False
    assert settings.secure_cookies is True


def test_a_database_url_is_taken_in_the_usual_spellings() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert load({"DATABASE_URL": f"{scheme}://u@h/d"}).database_url == "postgresql+psycopg://u@h/d"


def test_the_secret_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    settings = replace(load({}), instance_path=tmp_path)
    first = settings.signing_key()
    assert len(first) >= 32
    assert settings.signing_key() == first
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]
