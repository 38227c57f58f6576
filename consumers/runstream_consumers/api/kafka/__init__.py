"""What the API asks of Kafka: cluster id, offsets, and commands."""
