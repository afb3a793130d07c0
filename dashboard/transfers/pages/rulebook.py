"""Rules that are data, as the page of rules shows them, and asking a second person for another version of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.rulebook import Changed, Choice, Row, Section
from dashboard.clients.vocabulary import Risk
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid, NotFound
from dashboard.money import DECIMALS
from dashboard.transfers.forms.rules import FORMS, RuleForm, fill, values_of
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.services import rules
from dashboard.transfers.services.rules import LABELS, Rule
from dashboard.transfers.vocabulary import TYPE_LABELS, TransferType
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: that are shown before somebody chooses another
FIRST_CURRENCY = "eur"


def _currency(arguments: Mapping[str, str]) -> str:
    chosen = arguments.get("currency", "")
    return chosen if chosen in DECIMALS else FIRST_CURRENCY


def _choices(arguments: Mapping[str, str], section: str) -> list[Choice]:
    current = _currency(arguments)
    return [
        Choice(code.upper(), url_for("approvals.rules", currency=code, _anchor=f"h-{section}"), code == current)
        for code in DECIMALS
    ]


def _row(rule: Rule, name: str, standing: Mapping[str, Any]) -> Row:
    approval = standing["approval_id"]
    return Row(
        name,
        tuple(rules.said(rule, standing).values()),
        url_for("transfers.change_rule", rule=rule.value, key=rules.address_of(rule, standing)),
        url_for("approvals.show", request_id=approval) if approval else None,
    )


def _in_currency(rule: Rule, arguments: Mapping[str, str]) -> list[dict[str, Any]]:
    return [row for row in rules.rows_of(rule) if row["currency"] == _currency(arguments)]


def _columns(rule: Rule) -> tuple[str, ...]:
    return tuple(LABELS[rule].values())


def _desk(_arguments: Mapping[str, str]) -> Section:
    return Section(
        "desk", "Unrecognized money", "above it, two people decide",
        _columns(Rule.DESK),
        [_row(Rule.DESK, row["currency"].upper(), row) for row in rules.rows_of(Rule.DESK)],
    )  # fmt: skip


def _limits(arguments: Mapping[str, str]) -> Section:
    return Section(
        "limits", f"Limits of outgoing transfers, {_currency(arguments).upper()}",
        "what a client may send before a person looks", _columns(Rule.LIMIT),
        [_row(Rule.LIMIT, f"Risk {Risk(row['risk_level']).label.lower()}", row)
         for row in _in_currency(Rule.LIMIT, arguments)],
        _choices(arguments, "limits"),
    )  # fmt: skip


def _fees(arguments: Mapping[str, str]) -> Section:
    return Section(
        "fees", f"Fees of outgoing transfers, {_currency(arguments).upper()}",
        "what is fixed plus basis points of the amount, rounded down", _columns(Rule.FEE),
        [_row(Rule.FEE, TYPE_LABELS[TransferType(row["type"])], row) for row in _in_currency(Rule.FEE, arguments)],
        _choices(arguments, "fees"),
    )  # fmt: skip


def _countries(_arguments: Mapping[str, str]) -> Section:
    return Section(
        "countries", "Countries of recipients", "money to any other country goes without a look",
        _columns(Rule.COUNTRY),
        [_row(Rule.COUNTRY, rules.subject(Rule.COUNTRY, row).removeprefix("Country "), row)
         for row in rules.rows_of(Rule.COUNTRY)],
        new=("Another country", url_for("transfers.new_country_rule")),
    )  # fmt: skip


SECTIONS = {"desk": _desk, "limits": _limits, "fees": _fees, "countries": _countries}


def changes() -> Sequence[Changed]:
    """The newest versions of these rules, in words; only what differs."""
    found = []
    for change in rules.changes():
        rule = Rule(change.rule)
        before, after = rules.said(rule, change.was), rules.said(rule, change.becomes)
        turned = [label for label in after if before[label] != after[label]]
        found.append(
            Changed(
                change.changed_at,
                rules.subject(rule, change.becomes),
                "; ".join(f"{label} {before[label]}" for label in turned),
                "; ".join(f"{label} {after[label]}" for label in turned),
                url_for("approvals.show", request_id=change.approval_id),
            )
        )
    return found


def _dialog(rule: Rule, key: Mapping[str, Any], form: RuleForm, status: int = 200) -> Any:
    standing = rules.standing(rule, key)
    return page_or_fragment(
        "transfers/rule_dialog.html",
        "transfers/_rule.html",
        status=status,
        form=form,
        fields=[form[column.removesuffix("_minor")] for column in LABELS[rule]],
        title=rules.subject(rule, key),
        now=list(rules.said(rule, standing).items()),
        here=url_for(".change_rule", rule=rule.value, key=rules.address_of(rule, key)),
        close_url=url_for("approvals.rules", currency=key.get("currency")),
        only_stricter=not current_actor().may(Permission.RULES_CHANGE),
    )


@transfers.get("/rules/country")
@requires(Permission.RULES_TIGHTEN)
def new_country_rule() -> Any:
    """The form of the country that `key` names: two letters."""
    code = request.args.get("key", "").strip().upper()
    try:
        key = rules.key_of(Rule.COUNTRY, code)
    except NotFound:
        flash("Write a country as two letters, such as LT.", "info")
        return go(url_for("approvals.rules"))
    return go(url_for(".change_rule", rule=Rule.COUNTRY.value, key=key["country"]))


@transfers.route("/rules/<rule>/<key>", methods=["GET", "POST"])
@requires(Permission.RULES_TIGHTEN)
def change_rule(rule: str, key: str) -> Any:
    """Ask a second person for another version of a rule."""
    if rule not in set(Rule):
        raise NotFound("There is no such rule.", code="ruleNotFound")
    which = Rule(rule)
    place = rules.key_of(which, key)
    form: RuleForm = FORMS[which]()
    if request.method == "GET":
        fill(form, which, rules.standing(which, place))
        return _dialog(which, place, form)
    if not form.validate():
        return _dialog(which, place, form, 422)
    try:
        with transaction():
            asked = rules.ask(
                which, place, values_of(form, which, place.get("currency")), reason=form.reason.data or "",
                by=current_actor(),
            )  # fmt: skip
    except DomainError as refusal:
        show_errors(form, refusal)
        return _dialog(which, place, form, refusal.status if not isinstance(refusal, Invalid) else 422)
    flash(f"Asked: {asked.subject}. Another person decides; until then the old version counts.", "info")
    return go(url_for("approvals.rules", currency=place.get("currency")))
