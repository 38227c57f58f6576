"""Pages of archived rows that are in order as they are stored: their columns pass as Arrow arrays."""
