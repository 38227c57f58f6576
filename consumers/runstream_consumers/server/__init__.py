"""The HTTP server process, which serves the API and the pages."""
