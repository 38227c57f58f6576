"""The S3 store: a client, presigned requests, and the media types of contents."""
