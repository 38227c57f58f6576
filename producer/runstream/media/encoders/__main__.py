"""The process that encodes media files: it answers a request per line of JSON; the shipper starts and limits it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Any

from runstream.media.encoders import EncodeError, encode


def answer(line: str) -> dict[str, Any]:
    """Encode the file of a request; return the answer, with an error if that failed."""
    request: dict[str, Any] = {}
    try:
        request = json.loads(line)
        encode(request["encode"], Path(request["source"]), Path(request["target"]))
    except EncodeError as error:
        return {"id": request.get("id"), "error": str(error)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"id": None, "error": f"Invalid request: {error!r}"}
    return {"id": request.get("id")}


def main(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until the input ends."""
    for line in requests:
        answers.write(json.dumps(answer(line)) + "\n")
        answers.flush()


def _own_output() -> IO[str]:
    """Return standard output, and have libraries print to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main(sys.stdin, _own_output())
