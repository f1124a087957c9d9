"""The lake: immutable Parquet segments of exposures and outcomes, and the questions asked of them."""
