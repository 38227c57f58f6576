"""Which alerts are displayed, for random alerts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.alerts.model import RaisedAlert, repeats

#: Alerts with one title at random times; the brokers' clock may move backwards.
ALERTS = st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 20)), max_size=30).map(
    lambda pairs: [
        RaisedAlert(offset=offset, time=100 + sum(step for step, _ in pairs[: offset + 1]), wait=wait)
        for offset, (_, wait) in enumerate(pairs)
    ]
)


@given(ALERTS)
def test_an_alert_within_the_wait_of_the_last_displayed_one_is_a_repeat(
    alerts: list[RaisedAlert],
) -> None:
    """Each repeat refers to the last displayed alert and is within its wait; each displayed one is not."""
    found = repeats(alerts)
    shown: RaisedAlert | None = None
    for alert in alerts:
        within = shown is not None and alert.time < shown.time + shown.wait
        assert found[alert.offset] == (shown.offset if shown is not None and within else None)
        shown = shown if within else alert


@given(ALERTS, st.integers(0, 29))
def test_later_alerts_do_not_change_earlier_marks(alerts: list[RaisedAlert], size: int) -> None:
    """The marks of the first alerts are the same without the others, so a batch does not depend on the next one."""
    whole, first = repeats(alerts), repeats(alerts[:size])
    assert first == {offset: whole[offset] for offset in first}


@given(ALERTS, st.integers(0, 29))
def test_the_last_displayed_alert_is_sufficient_context(alerts: list[RaisedAlert], size: int) -> None:
    """Continuing from the last displayed alert has the same result as continuing from all alerts."""
    whole = repeats(alerts)
    past = [alert for alert in alerts[:size] if whole[alert.offset] is None][-1:]
    rest = repeats([*past, *alerts[size:]])
    assert rest == {offset: whole[offset] for offset in rest}
