"""Kafka's settings file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstream_deploy.services.kafka import escape


@given(st.text())
def test_an_escaped_value_is_ascii_and_comes_back(text: str) -> None:
    """What Java reads from the file, by its rules for escapes, is the text."""
    escaped = escape(text)
    assert escaped.isascii()
    assert read(escaped) == text


def read(escaped: str) -> str:
    """Read a value as ``java.util.Properties`` does."""
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
