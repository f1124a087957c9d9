"""Policy files: YAML text in, a checked `Policy` or every mistake with its place out."""
