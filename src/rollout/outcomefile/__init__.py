"""Outcomes in files: CSV, JSON lines and Parquet as rows with their lines, checked as the door does."""
