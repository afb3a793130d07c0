"""Who works here and which machines may call: invitations, roles, disabling, tokens, each change by two people where it
gives power, and at once by one where it takes power.

Its pages stand at /staff, beside those of `staff` (sign-in and own settings). It is a package of its own because it
asks for approvals, and `approvals` stands above `staff` (docs/adr/0032).
"""
