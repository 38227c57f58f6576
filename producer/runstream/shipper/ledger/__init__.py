"""What is delivered, and which uploads are done: the state kept in ``delivery.json``."""
