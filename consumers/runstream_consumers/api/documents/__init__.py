"""The JSON documents that the API returns."""
