"""Countries: ISO 3166-1 alpha-2, upper case, plus XK (Kosovo), which the standard leaves to users."""

from __future__ import annotations

from functools import lru_cache

import pycountry


@lru_cache(maxsize=1)
def names() -> dict[str, str]:
    """Code to English name, sorted by name."""
    table = {country.alpha_2: getattr(country, "common_name", country.name) for country in pycountry.countries}
    table["XK"] = "Kosovo"
    return dict(sorted(table.items(), key=lambda pair: pair[1]))


def known(code: str) -> bool:
    """Whether the code is a country. An unknown one is stored and flagged, never refused."""
    return code.upper() in names()


def shown(code: str | None) -> str:
    """Estonia for EE; the code itself when it is unknown."""
    return names().get(code, code) if code else ""


def stored(code: str | None) -> str | None:
    """Any case in, upper case out; empty is None."""
    return code.strip().upper() or None if code else None
