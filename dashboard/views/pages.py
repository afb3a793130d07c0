"""Saved views: the row above a list, the address of each view, and the page where they are looked after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from flask import Blueprint, Flask, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import DomainError, Forbidden, Invalid, NotFound
from dashboard.views import lists, queries, services
from dashboard.views.forms import SaveForm, ViewForm
from dashboard.views.queries import Seen
from dashboard.web.forms import show_errors
from dashboard.web.htmx import dialog, go

#: views in the row above a list; the others are a click away
MOST_ABOVE = 12

views = Blueprint("views", __name__, url_prefix="/views")


def _place(code: str) -> lists.Place:
    """A list that the person may open. Raises NotFound."""
    place = lists.find(code)
    if place is None or not place.may_open(current_actor()):
        raise NotFound("There is no such list.")
    return place


def bar(code: str | None = None) -> dict[str, Any] | None:
    """What stands above the list of this request: its views, and where to save one. None: this is no list. `code`: of
    the list, where it stands beside something else that has an address of its own."""
    place = lists.find(code) if code else lists.at(request.endpoint, request.view_args)
    actor = current_actor()
    if place is None or not place.may_open(actor):
        return None
    kept, typed = place.kept(request.args), bool(place.left(request.args))
    here = lists.query_of(kept)
    # of what is typed the name alone: the dialog says that it is not kept
    asked = kept | dict.fromkeys(place.left(request.args), "-")
    links = [
        {
            "label": one.view.name,
            "url": one.url,
            "current": one.view.query == here and not typed,
            "shared": one.view.shared,
            "by": None if one.mine else one.owner,
        }
        for one in queries.of_list(place, actor=actor)
    ]
    return {
        # the one that is open stands in the row wherever it comes
        "links": [link for count, link in enumerate(links) if count < MOST_ABOVE or link["current"]],
        "all": len(links),
        "save_url": url_for("views.save", list=place.code, query=lists.query_of(asked) or None),
        "all_url": url_for("views.index", list=place.code),
    }  # fmt: skip


def _words(seen: Seen) -> list[tuple[str, str]]:
    """The filters of a view in words."""
    return seen.place.in_words(seen.place.parse(seen.view.query), current_actor())


@views.get("")
@requires(Permission.OWN_WORK)
def index() -> Response:
    """Views of one list, or of all that the person may open; `list` is the list's code."""
    actor = current_actor()
    code = request.args.get("list", "")
    place = _place(code) if code else None
    shown = queries.of_list(place, actor=actor) if place else queries.visible(actor)
    return Response(
        render_template(
            "views/index.html",
            place=place,
            rows=[(one, _words(one)) for one in sorted(shown, key=lambda one: one.place.label)],
            elsewhere=[] if place else queries.shared_elsewhere(actor),
            clears=queries.manages_shared(actor),
        )
    )


@views.get("/<uuid:view_id>")
@requires(Permission.OWN_WORK)
def show(view_id: UUID) -> AnyResponse:
    """The list with the view's filters."""
    return redirect(queries.get(view_id, actor=current_actor()).url)


def _left(place: lists.Place, query: str) -> list[str]:
    """Filters that would not be kept, by name."""
    try:
        said = dict(parse_qsl(query.removeprefix("?"), max_num_fields=lists.MOST_PARAMETERS))
    except ValueError:
        return []
    return [lists.title(name) for name in place.left(said)]


def _dialog(act: str, title: str, form: ViewForm | None, close_url: str, *, status: int = 200, **context: Any) -> Any:
    return dialog(f"views/_{act}.html", title=title, close_url=close_url, status=status, form=form, **context)


def _tried(form: ViewForm, verb: Callable[[], Any]) -> int | None:
    """Do it in a transaction. None when it is done, else the status of what stands beside the fields now. What no form
    can mend goes on."""
    try:
        with transaction():
            verb()
    except (NotFound, Forbidden):
        raise
    except DomainError as refusal:
        show_errors(form, refusal)
        return 422 if isinstance(refusal, Invalid) else refusal.status
    return None


@views.route("/new", methods=["GET", "POST"])
@requires(Permission.OWN_WORK)
def save() -> Any:
    """Keep the filters of a list under a name."""
    form = SaveForm() if request.method == "POST" else SaveForm(request.args)
    place = _place(form.list.data or "")
    query, status = form.query.data or "", 200
    if request.method == "POST":
        status = 422
        if form.validate():
            refused = _tried(
                form,
                lambda: services.save(
                    place.code, query, name=form.name.data or "", shared=form.is_shared, by=current_actor()
                ),
            )
            if refused is None:
                flash(f"Saved: {services.tidy(form.name.data or '')}.", "ok")
                return go(place.url(lists.query_of(place.parse(query))))
            status = refused
    try:
        kept = place.parse(query)
    except Invalid as refusal:
        if request.method == "GET":
            show_errors(form, refusal)
            status = 422
        kept = {}
    # an error of a hidden field has no place beside it
    form.form_errors.extend(form.query.errors)
    form.query.errors = []
    return _dialog(
        "save", "Save this view", form, place.url(lists.query_of(kept)), status=status, place=place,
        words=place.in_words(kept, current_actor()), left=_left(place, query),
    )  # fmt: skip


@views.route("/<uuid:view_id>/edit", methods=["GET", "POST"])
@requires(Permission.OWN_WORK)
def edit(view_id: UUID) -> Any:
    """Call a view otherwise, or change who sees it."""
    seen = queries.get(view_id, actor=current_actor())
    if not seen.mine:
        raise Forbidden(f"Only {seen.owner}, who saved this view, can change it.")
    form = ViewForm(name=seen.view.name, shared="yes" if seen.view.shared else "no")
    back, status = url_for(".index", list=seen.place.code), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            refused = _tried(
                form,
                lambda: services.change(view_id, name=form.name.data or "", shared=form.is_shared, by=current_actor()),
            )
            if refused is None:
                flash(f"Changed: {services.tidy(form.name.data or '')}.", "ok")
                return go(back)
            status = refused
    return _dialog("edit", "Change a view", form, back, status=status, seen=seen, words=_words(seen))


@views.route("/<uuid:view_id>/delete", methods=["GET", "POST"])
@requires(Permission.OWN_WORK)
def delete(view_id: UUID) -> Any:
    """Take a view away."""
    actor = current_actor()
    seen = queries.get(view_id, actor=actor, closed_lists=True)
    opens = seen.place.may_open(actor)
    back = url_for(".index", list=seen.place.code if opens else None)
    if not seen.mine and not queries.manages_shared(actor):
        raise Forbidden(f"Only {seen.owner}, who saved this view, or an administrator can delete it.")
    if request.method == "POST":
        name = seen.view.name
        with transaction():
            services.delete(view_id, by=actor)
        flash(f"Deleted: {name}.", "ok")
        return go(back)
    return _dialog("delete", f"Delete “{seen.view.name}”", None, back, seen=seen, words=_words(seen) if opens else [])


def install(app: Flask) -> None:
    """Find the lists, and give templates the row above each of them."""
    lists.install(app)
    app.jinja_env.globals["saved_views"] = bar
