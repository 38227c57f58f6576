"""Track machine-learning runs as events on Apache Kafka."""
