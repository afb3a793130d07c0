"""Forms of staff and tokens. Only what stands here is taken from a request: ids and states never are."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import (
    EmailField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from dashboard.access.permissions import ALL_SCOPES, DEFAULT_SCOPES, ROLES, Audience
from dashboard.approvals.services import LONGEST_REASON
from dashboard.people.services.inviting import LONGEST_ADDRESS, LONGEST_NAME
from dashboard.people.services.machines import LONGEST_DAYS
from dashboard.staff.forms import HANDED_OVER, chosen_password, password_again

_TOO_LONG = Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters.")
_ROLES = [(role.value, row.label) for role, row in ROLES.items()]


def _tidied(text: str | None) -> str | None:
    return text.strip() if text else text


def _why(description: str) -> TextAreaField:
    return TextAreaField(
        "Why", validators=[InputRequired("Say why."), _TOO_LONG], description=description, render_kw={"rows": 3}
    )


class ReasonForm(FlaskForm):
    reason = _why("Kept in the history.")


class RoleForm(FlaskForm):
    role = SelectField("New role", choices=_ROLES)
    reason = _why("The person who decides reads it.")


class InviteForm(FlaskForm):
    name = StringField(
        "Name",
        validators=[
            DataRequired("Type the name."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
        description="As colleagues read it.",
        render_kw={"autocomplete": "off"},
    )
    email = EmailField(
        "E-mail",
        validators=[
            DataRequired("Type the e-mail address."),
            Length(max=LONGEST_ADDRESS, message=f"Use at most {LONGEST_ADDRESS} characters."),
        ],
        description="They sign in with it.",
        render_kw={"autocomplete": "off"},
    )
    role = SelectField("Role", choices=[("", "Choose…"), *_ROLES], validators=[InputRequired("Choose a role.")])
    reason = _why("The person who decides reads it.")


class JoinForm(FlaskForm):
    """The joining code is asked for where the link was shown to somebody."""

    code = StringField(
        "Joining code",
        validators=[DataRequired("Type the joining code that you were given.")],
        description="Ten letters.",
        render_kw=HANDED_OVER,
    )
    new = chosen_password("Password", missing="Type a password.")
    again = password_again("Password again")


class TokenForm(FlaskForm):
    name = StringField(
        "Name",
        validators=[
            DataRequired("Type a name."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
        description="What uses it, such as “payout service”.",
        render_kw={"autocomplete": "off"},
    )
    client = StringField(
        "Client",
        filters=[_tidied],
        validators=[Optional(), Length(max=36, message="Use the id of the client.")],
        description="The id of the client that the app acts for.",
        render_kw={"autocomplete": "off"},
    )
    partner = StringField(
        "Partner",
        filters=[_tidied],
        validators=[Optional(), Length(max=50, message="Use at most 50 characters.")],
        default="default",
        description="Whose external ids it uses. Another token for a partner that is known already takes two people.",
    )
    scopes = SelectMultipleField("Scopes", validators=[InputRequired("Choose at least one scope.")])
    days = IntegerField(
        "Days until it expires",
        validators=[
            InputRequired("Type a number of days."),
            NumberRange(1, LONGEST_DAYS, f"Use 1 to {LONGEST_DAYS} days."),
        ],
        default=LONGEST_DAYS,
    )
    reason = TextAreaField(
        "Why",
        validators=[Optional(), _TOO_LONG],
        description="The person who decides reads it.",
        render_kw={"rows": 2},
    )


def token_form(audience: Audience) -> TokenForm:
    """The form for tokens of one audience; its default scopes are chosen."""
    form = TokenForm()
    form.scopes.choices = [(name, name) for name in sorted(scope.value for scope in ALL_SCOPES[audience])]
    if not form.is_submitted():
        form.scopes.data = sorted(scope.value for scope in DEFAULT_SCOPES[audience])
    return form
