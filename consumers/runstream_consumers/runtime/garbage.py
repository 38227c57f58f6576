"""Python's search for cycles of objects, adapted to processes that serve for months."""

from __future__ import annotations

import gc

#: New objects after which Python looks for cycles. Decoding a large message makes a million, without any cycle.
_COLLECT_AFTER = 50_000


def spare_startup_objects() -> None:
    """Exclude the objects that exist now from later searches; called when a process has started.

    They live as long as the process: modules, routes, models. A full search through them pauses the HTTP API for 30 ms,
    and would take place while any answer of a thousand rows is made.
    """
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    gc.collect()
    gc.freeze()
