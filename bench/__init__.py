"""`make bench`: figures measured on this machine in one run, with the ratio that matters beside them."""
