"""What the frame around every page shows. `app.py` says who is signed in and what they may open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Flask, g

from dashboard import clock
from dashboard.settings import Settings


@dataclass(frozen=True)
class NavEntry:
    label: str
    url: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True)
class FramePerson:
    name: str
    role_label: str
    theme: str
    keys_off: bool
    #: how closely rows of lists stand: comfortable or compact
    density: str
    #: the search box of the top bar searches clients
    may_search: bool = False


@dataclass(frozen=True)
class Frame:
    institution: str
    now: datetime
    zone: str
    theme: str
    person: FramePerson | None = None
    nav: list[NavEntry] = field(default_factory=list)


def install(
    app: Flask, settings: Settings, *, person: Callable[[], FramePerson | None], nav: Callable[[], list[NavEntry]]
) -> None:
    """Give templates `frame`."""

    @app.context_processor
    def give_frame() -> dict[str, Any]:
        if "frame" not in g:
            who = person()
            g.frame = Frame(
                institution=settings.institution_name,
                now=clock.now().astimezone(settings.zone),
                zone=settings.institution_zone,
                theme=who.theme if who else "system",
                person=who,
                nav=nav() if who else [],
            )
        return {"frame": g.frame}
