"""Forms of staff."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, Length


class SignInForm(FlaskForm):
    email = EmailField("E-mail", validators=[DataRequired("Type your e-mail address."), Length(max=254)])
    password = PasswordField("Password", validators=[DataRequired("Type your password.")])


class ChangePasswordForm(FlaskForm):
    current = PasswordField(
        "Current password",
        validators=[DataRequired("Type your current password.")],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        validators=[DataRequired("Type a new password.")],
        description="At least 12 characters.",
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "New password again",
        validators=[EqualTo("new", "The two do not agree.")],
        render_kw={"autocomplete": "new-password"},
    )


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
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    second = StringField(
        "Second code",
        validators=[DataRequired("Type the code of the person who approved the reset.")],
        description="Ten letters, from the person who approved it.",
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
    new = PasswordField(
        "New password",
        validators=[DataRequired("Type a new password.")],
        description="At least 12 characters.",
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "New password again",
        validators=[EqualTo("new", "The two do not agree.")],
        render_kw={"autocomplete": "new-password"},
    )
