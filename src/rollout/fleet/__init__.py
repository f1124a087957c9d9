"""What every node should serve, and how each of them stands."""
