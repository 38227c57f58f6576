"""Access to Kafka: cluster id, offsets, and commands."""
