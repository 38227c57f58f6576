"""The connection to Kafka: where to send, and sending."""
