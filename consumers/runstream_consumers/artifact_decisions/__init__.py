"""Decisions about collections of artifacts, each made once: version numbers, and which of two changes is in force."""
