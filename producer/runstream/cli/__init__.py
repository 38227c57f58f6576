"""The command line ``runstream``: one module for each command."""
