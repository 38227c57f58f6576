"""Kafka: clients, and messages decoded into events."""
