"""Reading runs back through the HTTP API."""
