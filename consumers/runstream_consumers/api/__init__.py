"""The read side: an HTTP API over the tables of the consumers, and what a client needs to begin (docs/http-api.md)."""
