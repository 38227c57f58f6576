"""Sending to Kafka: routing, acknowledgments, the ledger."""
