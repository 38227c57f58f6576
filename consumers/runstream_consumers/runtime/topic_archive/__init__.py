"""Messages of topics that the broker may have deleted: chunks in the object store, and their manifest."""
