"""Authentication, origin checks and response headers."""
