"""The consume loop: fetching, batches, transactions, retries."""
