"""The connection to the server: which server, with which key, and the HTTP requests."""
