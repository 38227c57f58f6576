"""The compactor: moves blocks of rows from Postgres to the archive in the object store."""
