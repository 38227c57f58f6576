"""Media on the page of a run: images, sounds, videos, tables and other values that consist of files."""
