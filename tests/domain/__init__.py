"""Tests of the nouns and the decision."""
