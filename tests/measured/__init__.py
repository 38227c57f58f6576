"""Branch coverage of all processes that the tests start, measured with the C tracer of coverage.py.

``python -m tests.measured run FOLDER -m pytest …`` runs Python with the tracer in it and in every Python process that
it starts; ``python -m tests.measured combine FOLDER`` then writes ``FOLDER/data``, which ``coverage report`` reads.

``coverage run`` would do the same, but importing coverage.py takes ten times as long as starting Python, and the tests
start thousands of short processes. Only ``start.py`` is imported in them.
"""
