"""The contract of Runstream: topics, schemas, and events to bytes and back."""
