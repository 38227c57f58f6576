"""The topic archive: copies the messages of topics to the object store, trims topics, purges deleted runs."""
