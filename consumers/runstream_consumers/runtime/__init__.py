"""The one consume loop: exactly-once from Kafka into Postgres, for any consumer."""
