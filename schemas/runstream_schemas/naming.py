"""What a run is shown as: the one rule for client, API and pages."""

from __future__ import annotations


def display_name(given: str | None, generated: str | None, number: int | None) -> str:
    """Return the name of a run, from what its attributes say.

    Args:
        given: The name that a user gave, attribute ``name``; beats all else.
        generated: Two words, attribute ``generated_name``.
        number: The run's number in its project, attribute ``number``; None until a server gave one.

    Returns:
        An empty string where the run has neither name nor words.
    """
    if given or not generated:
        return str(given or "")  # an event of anybody's may hold anything
    return str(generated) if number is None else f"{generated}-{number}"
