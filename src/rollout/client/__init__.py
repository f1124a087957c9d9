"""The typed HTTP client of the control plane: what the command, the agent and applications talk through."""
