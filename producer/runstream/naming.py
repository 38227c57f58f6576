"""Ids and names of runs: made up, and checked."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from runstream.exceptions import UsageError
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.naming import display_name

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH = 8
_TAG_LENGTH = 64
#: What a URL or a path would have to escape, or a shell take for itself, is kept out of paths.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f/\\#?%:*\"<>|]")

_ADJECTIVES = """
    amber ancient autumn balmy bold brisk bright calm candid clear clever cosmic crimson crisp curious daring
    dawn deep distant dry earnest eager easy electric elegant fair faithful fine floral fresh frosty gentle
    giddy glad golden good grateful happy hardy hidden honest icy jolly kind likely lively lucky lunar mild
    misty morning noble northern olive peach polar proud quiet radiant rapid robust rosy rural sage scarlet
    serene silent silver smooth snowy solar southern sparkling spring stellar still summer sunny swift toasty
    tranquil upbeat valiant vast vibrant vital warm western wild winter wise young zesty
""".split()  # noqa: SIM905 - words are read more easily than a list of literals
_NOUNS = """
    aardvark bird blaze breeze brook bush butterfly canyon cherry cloud comet cosmos creek dawn deluge dew
    dragon dream dune durian eagle elevator energy etherdust feather fern field fire firefly flower fog forest
    frog frost galaxy glade glitter grass grove harbor haze hill island jazz lake leaf lion meadow microwave
    monkey moon morning moss mountain music night oath ocean orchid paper pebble pine plant planet plasma pond
    pyramid rain resonance ridge river salad sea serenity shadow shape silence sky smoke snow snowball snowflake
    sound spaceship star stream sun sunset surf terrain thunder totem tree universe valley vortex voice water
    waterfall wave wildflower wind wood
""".split()  # noqa: SIM905 - words are read more easily than a list of literals


def generate_run_id() -> str:
    """Return a new run id: 8 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def generated_name(run_id: str) -> str:
    """Return two words that a human can remember, such as ``earnest-sunset``.

    They follow from the run's id: whoever writes to a run, or carries it on, gives it the same name without asking.
    """
    number = int.from_bytes(hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    adjective, noun = number % len(_ADJECTIVES), number // len(_ADJECTIVES) % len(_NOUNS)
    return f"{_ADJECTIVES[adjective]}-{_NOUNS[noun]}"


@dataclass(frozen=True, slots=True)
class DisplayName:
    """What a run is shown as: the name it was given, else the generated one with the run's number in its project."""

    given: str | None
    generated: str
    #: None until a server gave one.
    number: int | None = None

    def __str__(self) -> str:
        return display_name(self.given, self.generated, self.number)


def validate_tags(tags: Any) -> tuple[str, ...]:
    """Return the tags of a run; a bare string is one tag.

    Raises:
        ValueError: A tag is no string, empty or too long, or they are no sequence.
    """
    found = (tags,) if isinstance(tags, str) else tags
    try:
        found = tuple(found)
    except TypeError:
        raise ValueError(f"tags are a list of strings, not {tags!r:.60}") from None
    for tag in found:
        if not isinstance(tag, str) or not 0 < len(tag) <= _TAG_LENGTH:
            raise ValueError(f"tags are strings of 1 to {_TAG_LENGTH} characters, not {tag!r:.80}")
    return found


def validate_name(what: str, name: str) -> str:
    """Return a name that is a part of a run's path, if it can be one.

    Args:
        what: entity, project or run id, for the message.
        name: The name.

    Raises:
        UsageError: It is empty, too long, or has characters that a path or an address gives a meaning of their own.
    """
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"the {what} is a string that is not empty, not {name!r}")
    if what == "run id" and name != name.strip():
        raise UsageError(f"the run id {name!r:.60} begins or ends with a blank")
    if len(name) > DEFAULT_LIMITS.name_length:
        raise UsageError(f"the {what} {name[:40]!r}… is longer than {DEFAULT_LIMITS.name_length} characters")
    if name in {".", ".."} or (found := _FORBIDDEN.search(name)) is not None:
        shown = name if name in {".", ".."} else found.group() if found else ""
        raise UsageError(
            f'the {what} {name!r} cannot hold {shown!r}: no slashes, control characters or any of \\#?%:*"<>|'
        )
    return name
