"""The parts of a run of the public API: its document, its rows, changes, files and artifacts."""
