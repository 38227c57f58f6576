"""Which alerts repeat a shown one. Pure: a function of the offsets and append times of one title of one run.

An alert is shown unless it was appended within the wait duration of the alert of its title that was shown last. Only
the broker's append times matter, so a replay has the same result, however it is batched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAlert:
    """The properties of an alert that decide whether it is shown."""

    offset: int
    #: Broker append time, microseconds since 1970.
    time: int
    #: Wait duration: how long others of its title are repeats, microseconds.
    wait: int


def repeats(alerts: Iterable[RaisedAlert]) -> Mapping[int, int | None]:
    """Return for each offset of one title's alerts the offset of the alert that it repeats, None if it is shown."""
    found: dict[int, int | None] = {}
    shown: RaisedAlert | None = None
    for alert in sorted(alerts, key=lambda one: one.offset):
        if shown is not None and alert.time < shown.time + shown.wait:
            found[alert.offset] = shown.offset
        else:
            found[alert.offset] = None
            shown = alert
    return found
