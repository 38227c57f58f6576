"""Parquet files of rows."""
