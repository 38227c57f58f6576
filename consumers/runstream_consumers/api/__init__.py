"""The HTTP API over the tables of the consumers (docs/http-api.md)."""
