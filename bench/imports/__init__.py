"""What outcomes in files cost: read, checked, and handed to a real door."""
