"""Who may do what: permissions and roles, the actor of a request, API tokens, and the one guard of all views."""
