"""The S3 store of files and artifacts: a client, and HTTP responses with the content of objects."""
