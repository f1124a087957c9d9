"""In the control plane: every segment is filed once, and counted in the same transaction as its cursor."""
