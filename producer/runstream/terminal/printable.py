"""Text that is safe and short enough to print."""

_MAX_LENGTH = 60


def printable(text: str) -> str:
    """Return the text without control characters, which could change the reader's terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def shorten(text: str) -> str:
    """Return the text without control characters and with at most 60 characters."""
    text = printable(text)
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
