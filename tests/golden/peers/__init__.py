"""Golden cases of rollout.stats, computed by independent published packages in environments of their own."""
