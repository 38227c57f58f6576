"""The HTTP server process: the API and the pages, put together."""
