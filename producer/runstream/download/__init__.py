"""Downloads of files from the server: in parallel, resumed, and verified."""
