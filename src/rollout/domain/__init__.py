"""The nouns and the decision: plain values and pure functions that know no file, clock, network or log."""
