"""Uploads: the bytes of files and artifacts, stored before the events that name them are sent."""
