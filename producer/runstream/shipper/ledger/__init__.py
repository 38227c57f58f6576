"""What is delivered, which is kept in ``delivery.json``, and what waits for its upload."""
