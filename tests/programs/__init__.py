"""Training scripts that the tests run as separate processes."""
