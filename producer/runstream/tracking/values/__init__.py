"""Values that users log, converted to what the spool stores."""
