"""Tables: rows of typed columns, logged to a run or kept in an artifact."""
