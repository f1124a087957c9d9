"""The only room that names adapters together: a node, a control plane, a house of both, a proxy by itself."""
