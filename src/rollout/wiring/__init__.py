"""The only room that names adapters together: a node, a whole house in one process, a proxy by itself."""
