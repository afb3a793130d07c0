"""What Sumsub tells: events as they came, what they mean in their order, and what a client is told to be by them."""
