"""The archive: rows of runs as Parquet files in the object store, with an index and a pyramid beside them."""
