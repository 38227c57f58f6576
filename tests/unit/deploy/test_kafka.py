"""Kafka's settings file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstream_deploy.services.kafka import escape


@given(st.text())
def test_an_escaped_value_is_ascii_and_can_be_read_back(text: str) -> None:
    """Java reads the original text by its rules for escapes."""
    escaped = escape(text)
    assert escaped.isascii()
    assert read(escaped) == text


def read(escaped: str) -> str:
    """Read a value like ``java.util.Properties``."""
    units, place = b"", 0
    while place < len(escaped):
        if escaped[place] != "\\":
            units += escaped[place].encode("utf-16-be")
            place += 1
        elif escaped[place + 1] == "u":
            units += bytes.fromhex(escaped[place + 2 : place + 6])
            place += 6
        else:
            units += escaped[place + 1].encode("utf-16-be")
            place += 2
    return units.decode("utf-16-be")
