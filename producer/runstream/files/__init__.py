"""Files of a run in the training process: kept in the run folder until the shipper has uploaded them."""
