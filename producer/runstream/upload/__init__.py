"""Uploads of files from a process that is not a shipper: by the public API and commands."""
