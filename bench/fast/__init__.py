"""What the fast path of a look costs, with many experiments at once."""
