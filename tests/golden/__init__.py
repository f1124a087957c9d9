"""Golden cases: numbers that others computed, kept beside their inputs."""
