"""What archive files are made of: compressed bytes, objects that are read in parts, a cache."""
