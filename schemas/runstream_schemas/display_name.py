"""The display name of a run, for the client, the API and the pages."""

from __future__ import annotations


def display_name(given: str | None, generated: str | None, number: int | None) -> str:
    """Return the display name of a run from its attributes.

    Args:
        given: The name given by the user, attribute ``name``; takes precedence.
        generated: Two words, attribute ``generated_name``.
        number: The run's number in its project, attribute ``number``; None if no server has assigned one.

    Returns:
        The name; empty if the run has neither a given nor a generated name.
    """
    if given or not generated:
        return str(given or "")  # the attribute may have any type
    return str(generated) if number is None else f"{generated}-{number}"
