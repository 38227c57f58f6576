"""JSON answers that carry what users logged, non-finite floats included."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from runstream_schemas import values


class ValuesResponse(Response):
    """A JSON answer whose non-finite floats are tagged (``runstream_schemas.values``)."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the JSON text of the answer; ASCII only."""
        return values.dump(content).encode("ascii")
