"""What a WSGI server and the `flask` command start."""

from dashboard.app import create_app

app = create_app()
