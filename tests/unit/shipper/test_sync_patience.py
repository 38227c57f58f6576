"""How long ``runstream sync`` goes on while nothing is acknowledged."""

from __future__ import annotations

from runstream.shipper.sync import _WATCH_S, NO_ANSWER_S, STALLED_S, Patience


def test_a_broker_that_answers_gets_more_time() -> None:
    """Without a connection delivery ends soon; with one, much later; anything that is delivered starts both again."""
    unconnected, connected, restored = (Patience(STALLED_S) for _ in range(3))
    soon, late = round(NO_ANSWER_S / _WATCH_S), round(STALLED_S / _WATCH_S)
    assert all(unconnected.lasts(0, connected=False) for _ in range(soon))
    assert not all(unconnected.lasts(0, connected=False) for _ in range(3))
    assert all(connected.lasts(0, connected=True) for _ in range(late))
    assert not all(connected.lasts(0, connected=True) for _ in range(3))
    # A broker on a starved machine: messages are late, and each time there is another connection.
    assert all(restored.lasts(0, connected=tick % soon == 0) for tick in range(late))
    assert restored.lasts(1, connected=False)
    assert all(restored.lasts(1, connected=False) for _ in range(soon))
