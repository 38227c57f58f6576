"""Finding the server, and the HTTP client."""
