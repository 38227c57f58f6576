"""The display name of a run, for the client, the API and the pages."""

from __future__ import annotations


def display_name(given: str | None, generated: str | None, number: int | None) -> str:
    """Return the display name of a run from its attributes ``name``, ``generated_name`` and ``number``.

    The name ``given`` by the user takes precedence. Otherwise it is two ``generated`` words, followed by the number if
    a server has assigned one; empty if there is neither.
    """
    if given or not generated:
        return str(given or "")  # the attribute may have any type
    return str(generated) if number is None else f"{generated}-{number}"
