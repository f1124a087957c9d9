"""How soon every node has what is wanted, and has said so."""
