"""History: every block of rows, as it came."""
