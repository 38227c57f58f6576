"""From spool records to events."""
