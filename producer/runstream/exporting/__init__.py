"""Export runs to Parquet or CSV: rows are read through the HTTP API; a file is complete or does not exist."""
