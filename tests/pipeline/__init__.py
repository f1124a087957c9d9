"""The whole pipeline on simulated experiments: its decisions keep the rates that every policy promises."""
