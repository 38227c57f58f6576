"""Runs that neptune-exporter wrote to disk: Parquet files of attributes, and the folder of files beside them."""
