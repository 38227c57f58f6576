"""What a writer appended to its spool, folded as the summary reads it: by the process itself, and by the shipper."""
