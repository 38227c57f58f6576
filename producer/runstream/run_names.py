"""Ids and names of runs: generated and validated."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass
from itertools import islice
from typing import Any

from runstream.exceptions import UsageError
from runstream_schemas.attributes import display_name
from runstream_schemas.limits import DEFAULT_LIMITS

_TAG_LENGTH = 64
#: Tags that are read of an iterator, which may have no end.
_MOST_TAGS = 100_000
#: Names of folders, and characters that URLs and paths would have to escape, or that a shell interprets.
_FORBIDDEN = re.compile(r"^\.{1,2}\Z|[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\#?%:*\"<>|]")

_ADJECTIVES = """
    amber ancient autumn balmy bold brisk bright calm candid clear clever cosmic crimson crisp curious daring
    dawn deep distant dry earnest eager easy electric elegant fair faithful fine floral fresh frosty gentle
    giddy glad golden good grateful happy hardy hidden honest icy jolly kind likely lively lucky lunar mild
    misty morning noble northern olive peach polar proud quiet radiant rapid robust rosy rural sage scarlet
    serene silent silver smooth snowy solar southern sparkling spring stellar still summer sunny swift toasty
    tranquil upbeat valiant vast vibrant vital warm western wild winter wise young zesty
""".split()  # noqa: SIM905 - easier to read than a list of literals
_NOUNS = """
    aardvark bird blaze breeze brook bush butterfly canyon cherry cloud comet cosmos creek dawn deluge dew
    dragon dream dune durian eagle elevator energy etherdust feather fern field fire firefly flower fog forest
    frog frost galaxy glade glitter grass grove harbor haze hill island jazz lake leaf lion meadow microwave
    monkey moon morning moss mountain music night oath ocean orchid paper pebble pine plant planet plasma pond
    pyramid rain resonance ridge river salad sea serenity shadow shape silence sky smoke snow snowball snowflake
    sound spaceship star stream sun sunset surf terrain thunder totem tree universe valley vortex voice water
    waterfall wave wildflower wind wood
""".split()  # noqa: SIM905 - easier to read than a list of literals


def generate_run_id(length: int = 8) -> str:
    """Return a new run id: random letters and digits."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


def generated_name(run_id: str) -> str:
    """Return two words that are easy to remember, such as ``earnest-sunset``.

    They are computed from the run's id, so that all processes that write to a run or resume it agree on the name.
    """
    number = int.from_bytes(hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    adjective, noun = number % len(_ADJECTIVES), number // len(_ADJECTIVES) % len(_NOUNS)
    return f"{_ADJECTIVES[adjective]}-{_NOUNS[noun]}"


@dataclass(frozen=True, slots=True)
class DisplayName:
    """The display name of a run: the given one, or else the generated one with the run's number in its project."""

    given: str | None
    generated: str
    #: None until the server has assigned it.
    number: int | None = None

    def __str__(self) -> str:
        return display_name(self.given, self.generated, self.number)


def validate_tags(tags: Any) -> tuple[str, ...]:
    """Return tags as a tuple; a string is one tag. Raises ValueError for other than strings of 1 to 64 characters."""
    try:
        given = (tags,) if issubclass(type(tags), str) else tuple(islice(tags, _MOST_TAGS))
    except Exception:  # noqa: BLE001 - of a foreign class
        raise ValueError(f"Invalid tags of type {type(tags).__name__}: expected a list of strings") from None
    for tag in given:
        if not issubclass(type(tag), str):
            raise ValueError(f"Invalid tag of type {type(tag).__name__}: expected a string")  # noqa: TRY004 - as W&B
    found = tuple(str.__str__(tag) for tag in given)
    for tag in found:
        if not 0 < len(tag) <= _TAG_LENGTH:
            raise ValueError(f"Invalid tag {tag!r:.80}: expected a string of 1 to {_TAG_LENGTH} characters")
    return found


def validate_name(what: str, name: str) -> str:
    """Return a name (``what``: entity, project or run id) if it can be a part of a path; raises UsageError."""
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"Invalid {what} {name!r}: expected a string that is not empty")
    if what == "run id" and name != name.strip():
        raise UsageError(f"Invalid run id {name!r:.60}: remove the spaces at its ends")
    if len(name) > DEFAULT_LIMITS.name_length:
        raise UsageError(f"Invalid {what} {name[:40]!r}…: expected at most {DEFAULT_LIMITS.name_length} characters")
    if (found := _FORBIDDEN.search(name)) is not None:
        raise UsageError(
            f"Invalid {what} {name!r}: remove {found.group()!r}; "
            'slashes, control characters and \\#?%:*"<>| are not allowed'
        )
    return name
