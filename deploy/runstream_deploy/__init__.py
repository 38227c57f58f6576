"""The local stack: real servers and consumers as children of one supervisor."""
