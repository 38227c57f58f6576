"""Which alerts repeat one that was shown. Pure: the offsets and append times of one title of one run, and nothing else.

An alert is shown unless the alert of its title that was shown last still holds its wait. Only the brokers' append times
count, so that replay, whenever it happens and however it is batched, comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAlert:
    """An alert, as far as it matters whether it is shown."""

    offset: int
    #: Broker append time, microseconds since 1970.
    time: int
    #: How long it keeps others of its title from being shown, microseconds.
    wait: int


def repeats(alerts: Iterable[RaisedAlert]) -> Mapping[int, int | None]:
    """Return for each offset the offset of the alert that it repeats; None for one that is shown.

    Args:
        alerts: Alerts of one title, in any order; what came before the first of them must not matter any more.
    """
    found: dict[int, int | None] = {}
    shown: RaisedAlert | None = None
    for alert in sorted(alerts, key=lambda one: one.offset):
        if shown is not None and alert.time < shown.time + shown.wait:
            found[alert.offset] = shown.offset
        else:
            found[alert.offset] = None
            shown = alert
    return found
