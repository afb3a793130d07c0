"""Banks and payment providers as ports: what is sent, what they answer, what they tell of money that came in."""
