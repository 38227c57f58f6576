"""Rows that the shipper adds: console lines, system metrics, TensorBoard event files."""
