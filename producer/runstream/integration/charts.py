"""What the integrations say of charts, until charts come."""

from __future__ import annotations

from runstream.messages import termwarn


def leave_out_importance(argument: str) -> None:
    """Say once that the chart of feature importance is left out.

    Args:
        argument: The argument that asks for none.
    """
    termwarn(
        "the chart of feature importance is left out: charts come with files and artifacts, which this version of "
        f"Runstream does not have yet; {argument} asks for none",
        repeat=False,
    )
