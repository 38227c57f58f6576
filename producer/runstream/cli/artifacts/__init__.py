"""Commands for artifacts and for the cache of downloaded files."""
