"""How many outcomes fit through the door, one by one and in batches, each on the disk before its answer."""
