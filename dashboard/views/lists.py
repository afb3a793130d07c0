"""What a list says of itself, once and on its own view, so that its filters can be kept under a name.

    @clients.get("")
    @listed("clients", "Clients", keeps=("status", "risk"), leaves=("text",), reads=…)
    @requires(Permission.CLIENTS_READ)
    def listing() -> Response: …

Path and permission are those of the view. What a list does not declare is never kept, and nobody is sent to an address
that is not one of these. The view that gives a list as a file says whose filters it is asked with:

    @clients.get("/export/<form>")
    @downloads("clients")
    @requires(Permission.CLIENTS_READ)
    def export(form: str) -> Response: …

So the names of filters stand once: views, files and the evidence of downloads take them from the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid

if TYPE_CHECKING:
    from flask import Flask

View = TypeVar("View", bound=Callable[..., Any])
#: reads filters as the list does, for a person; gives what has `errors` and `in_words()`
Reads = Callable[[Mapping[str, str], Actor], Any]
#: the place within a list; it is of no view
PLACES = ("cursor", "before", "after")
#: characters of a query that is read at all, and of one that is kept
LONGEST_READ = 4000
LONGEST_KEPT = 1000
MOST_PARAMETERS = 40
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass
class Choices:
    """Filters of a list that are chosen from words, read. `errors`: sentences."""

    words: list[tuple[str, str]]
    errors: list[str] = field(default_factory=list)

    def in_words(self) -> list[tuple[str, str]]:
        return self.words


def choices(**allowed: Collection[str] | Callable[[Actor], Collection[str]]) -> Reads:
    """Reads filters of which each has a list of values, or of values and their words; a function: for this person."""

    def read(values: Mapping[str, str], actor: Actor) -> Choices:
        found = Choices([])
        for name, value in values.items():
            given = allowed.get(name, ())
            known = given(actor) if callable(given) else given
            if value not in known:
                found.errors.append(f"{title(name)}: “{value[:40]}” is none of the choices.")
            found.words.append(
                (title(name), str(known[value]) if isinstance(known, Mapping) and value in known else value)
            )
        return found

    read.names = tuple(allowed)  # type: ignore[attr-defined]
    return read


def title(name: str) -> str:
    """created_from becomes Created from."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class Listed:
    """`keeps`: filters and sort that a view keeps, in the order of its address. `leaves`: filters for words that
    somebody types, or for one person: they may name a client, and a view outlives its client. `usual`: what the list
    does without a filter. `arguments`: of the route, where one view shows several lists. `may`: who may open it, where
    the permission of the view does not say all."""

    code: str
    label: str
    keeps: tuple[str, ...]
    reads: Reads
    leaves: tuple[str, ...] = ()
    usual: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    may: Callable[[Actor], bool] | None = None


@dataclass(frozen=True)
class Place:
    """A list where it stands."""

    listed: Listed
    endpoint: str
    path: str
    permission: Permission

    @property
    def code(self) -> str:
        return self.listed.code

    @property
    def filters(self) -> frozenset[str]:
        """Every filter that the list has, and its sort."""
        return frozenset((*self.listed.keeps, *self.listed.leaves))

    @property
    def label(self) -> str:
        return self.listed.label

    def may_open(self, actor: Actor) -> bool:
        return actor.may(self.permission) and (self.listed.may is None or self.listed.may(actor))

    def kept(self, args: Mapping[str, str]) -> dict[str, str]:
        """Of an address what a view of this list keeps; the rest falls away."""
        said = {name: args[name].strip() for name in self.listed.keeps if args.get(name, "").strip()}
        return {name: value for name, value in said.items() if value != self.listed.usual.get(name)}

    def left(self, args: Mapping[str, str]) -> list[str]:
        """Filters of an address that no view keeps."""
        return [name for name in self.listed.leaves if args.get(name, "").strip()]

    def parse(self, query: str) -> dict[str, str]:
        """The filters of a query string as they are kept. Raises Invalid (field `query`)."""
        try:
            if len(query) > LONGEST_READ:
                raise ValueError
            pairs = parse_qsl(
                query.removeprefix("?"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
            )
        except ValueError:
            raise Invalid.one("query", "These filters are too many or cannot be read.", "length") from None
        first: dict[str, str] = {}
        for name, value in pairs:
            first.setdefault(name, value)
        strange = [name for name in first if name not in (*self.listed.keeps, *self.listed.leaves, *PLACES)]
        if strange:
            raise Invalid.one("query", f"This list has no filter “{strange[0][:40]}”.", "enum")
        kept = self.kept(first)
        if any(_CONTROL.search(value) for value in kept.values()):
            raise Invalid.one("query", "Remove the control characters from the filters.", "characters")
        if len(urlencode(kept)) > LONGEST_KEPT:
            raise Invalid.one("query", f"Filters of at most {LONGEST_KEPT:,} characters can be kept.", "length")
        return kept

    def wrong(self, values: Mapping[str, str], actor: Actor) -> list[str]:
        """What this person cannot ask of the list, in sentences."""
        return [_sentence(error) for error in _each(self.listed.reads(values, actor).errors)]

    def in_words(self, values: Mapping[str, str], actor: Actor) -> list[tuple[str, str]]:
        """Filters as people call them; what can no longer be asked stands as it was kept."""
        read = self.listed.reads(values, actor)
        if not list(_each(read.errors)):
            return [(label, _shortened(word)) for label, word in read.in_words()]
        return [(title(name), _shortened(value)) for name, value in values.items()]

    def url(self, query: str) -> str:
        """The address of the list with these filters."""
        return f"{self.path}?{query}" if query else self.path


def _shortened(word: str) -> str:
    """An identifier by its first eight digits, as everywhere."""
    return f"{word[:8]}…" if _IDENTIFIER.fullmatch(word) else word


def _each(errors: Any) -> Iterable[Any]:
    return errors.items() if isinstance(errors, Mapping) else errors


def _sentence(error: Any) -> str:
    """An error as the queries of lists tell it: name and words, a record, or a sentence."""
    if isinstance(error, str):
        return error
    if hasattr(error, "message"):
        return f"{error.label}: {error.message}"
    name, message = error
    return f"{title(name)}: {message}"


def query_of(values: Mapping[str, str]) -> str:
    """Filters as an address has them, without a question mark."""
    return urlencode(values)


def listed(
    code: str, label: str, *, keeps: Sequence[str], reads: Reads, leaves: Sequence[str] = (),
    usual: Mapping[str, str] | None = None,
) -> Callable[[View], View]:  # fmt: skip
    """Declares the list that a view shows."""
    return shows(Listed(code, label, tuple(keeps), reads, tuple(leaves), usual or {}))


def shows(*lists: Listed) -> Callable[[View], View]:
    """Declares the lists that a view shows, each by arguments of its route."""

    def mark(view: View) -> View:
        view.lists = lists  # type: ignore[attr-defined]
        return view

    return mark


def downloads(*lists: str, filters: Sequence[str] = ()) -> Callable[[View], View]:
    """Declares a view that gives a list as a file: codes of lists, with whose filters it may be asked. `filters`: those
    of the file alone, or of a list whose filters nobody can keep."""

    def mark(view: View) -> View:
        view.downloads = (lists, tuple(filters))  # type: ignore[attr-defined]
        return view

    return mark


_places: dict[str, Place] = {}
#: names of filters by the endpoint of a download
_asked: dict[str, frozenset[str]] = {}


def install(app: Flask) -> None:
    """Find what the views declare, after all of them are registered. Raises RuntimeError for two lists of one code and
    for a download of a list that is none."""
    _places.clear()
    _asked.clear()
    for endpoint, view in app.view_functions.items():
        for one in getattr(view, "lists", ()):
            if one.code in _places:
                raise RuntimeError(f"two lists are called {one.code}")
            rule = next(app.url_map.iter_rules(endpoint))
            built = rule.build(dict(one.arguments), append_unknown=False)
            if built is None:
                raise RuntimeError(f"{endpoint} needs arguments")
            _places[one.code] = Place(one, endpoint, built[1], view.access.permission)  # type: ignore[union-attr]
    for endpoint, view in app.view_functions.items():
        codes, more = getattr(view, "downloads", ((), None))
        if unknown := [code for code in codes if code not in _places]:
            raise RuntimeError(f"{endpoint} gives a list that is none: {unknown[0]}")
        if more is not None:
            _asked[endpoint] = frozenset(more).union(*(_places[code].filters for code in codes))


def places() -> Mapping[str, Place]:
    """Every list by its code."""
    return _places


def downloaded() -> Mapping[str, frozenset[str]]:
    """Every download by its endpoint, with the names of the filters that it may be asked with."""
    return _asked


def find(code: str) -> Place | None:
    return _places.get(code)


def at(endpoint: str | None, arguments: Mapping[str, Any] | None) -> Place | None:
    """The list that a route shows."""
    given = {name: str(value) for name, value in (arguments or {}).items()}
    for place in _places.values():
        if place.endpoint == endpoint and dict(place.listed.arguments) == given:
            return place
    return None
