"""What a policy will take: time, units and users at risk, computed before anything runs."""
