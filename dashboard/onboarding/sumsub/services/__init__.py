"""The verbs: taking events in, processing them, doing it again, and settling what a person looked at."""
