"""The pyramid: points and means of metrics in buckets of rows, at several levels."""
