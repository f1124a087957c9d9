"""Actions that are commands on the control plane's own machine."""
