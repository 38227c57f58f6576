"""Postgres: connections, migrations, queries, and the tables of the runtime."""
