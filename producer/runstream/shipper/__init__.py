"""The shipper: one process a run folder that carries the spool to the broker."""
