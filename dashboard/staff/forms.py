"""Forms of staff."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, Length

#: of what is typed from paper or from what somebody says
HANDED_OVER = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


def chosen_password(label: str, *, missing: str) -> PasswordField:
    """The field `new` of a form; what the password must be is the service's rule."""
    return PasswordField(
        label, validators=[DataRequired(missing)], description="At least 12 characters.",
        render_kw={"autocomplete": "new-password"},
    )  # fmt: skip


def password_again(label: str) -> PasswordField:
    """The same as the field `new`, typed once more."""
    return PasswordField(
        label, validators=[EqualTo("new", "The two do not agree.")], render_kw={"autocomplete": "new-password"}
    )


class SignInForm(FlaskForm):
    email = EmailField("E-mail", validators=[DataRequired("Type your e-mail address."), Length(max=254)])
    password = PasswordField("Password", validators=[DataRequired("Type your password.")])


class ChangePasswordForm(FlaskForm):
    current = PasswordField(
        "Current password",
        validators=[DataRequired("Type your current password.")],
        render_kw={"autocomplete": "current-password"},
    )
    new = chosen_password("New password", missing="Type a new password.")
    again = password_again("New password again")


_CODE_KEYS = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class SignInCodeForm(FlaskForm):
    """The second step. A recovery code is typed into the same field."""

    code = StringField(
        "Code",
        validators=[DataRequired("Type the code that your app shows.")],
        description="Six digits from your app, or one of your recovery codes.",
        render_kw=_CODE_KEYS,
    )


class AgainByCodeForm(SignInCodeForm):
    """Showing again that it is you, with a second factor."""


class AgainByPasswordForm(FlaskForm):
    """Showing again that it is you, without one."""

    password = PasswordField(
        "Your password",
        validators=[DataRequired("Type your password.")],
        render_kw={"autocomplete": "current-password"},
    )


class FirstCodeForm(FlaskForm):
    code = StringField(
        "Code that the app shows",
        validators=[DataRequired("Type the code that your app shows.")],
        description="Six digits.",
        render_kw={**_CODE_KEYS, "inputmode": "numeric"},
    )


class NewPasswordForm(FlaskForm):
    """A person whose password was reset chooses a new one."""

    code = StringField(
        "First code",
        validators=[DataRequired("Type the code of the administrator who asked for the reset.")],
        description="Sixteen letters and digits, from the administrator who asked for the reset.",
        render_kw=HANDED_OVER,
    )
    second = StringField(
        "Second code",
        validators=[DataRequired("Type the code of the person who approved the reset.")],
        description="Ten letters, from the person who approved it.",
        render_kw=HANDED_OVER,
    )
    new = chosen_password("New password", missing="Type a new password.")
    again = password_again("New password again")
