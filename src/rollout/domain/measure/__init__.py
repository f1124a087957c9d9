"""Which statistics answer which metric: one file per kind of evidence, each giving the same few numbers."""
