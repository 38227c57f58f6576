"""The consume loop of every consumer: from Kafka into Postgres, each record exactly once."""
