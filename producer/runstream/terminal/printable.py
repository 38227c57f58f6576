"""Text without control characters."""


def printable(text: str) -> str:
    """Return the text without control characters, which could change the reader's terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
