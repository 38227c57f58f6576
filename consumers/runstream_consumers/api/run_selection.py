"""The query parameters by which routes select and sort runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.run_lists import mongo
from runstream_consumers.api.run_lists.conditions import EVERYTHING
from runstream_consumers.api.run_lists.order import NEWEST_FIRST, RunOrder
from runstream_consumers.api.run_lists.simple import RunFilter, config_condition
from runstream_schemas.events import RunState

#: Limits of the number and the length of conditions.
_MOST, _LONGEST = 20, 500
#: The year 5138.
_LATEST_S = 1e11

_STATES = tuple(state.value for state in RunState if state is not RunState.UNKNOWN)

Text = Annotated[str, Query(max_length=_LONGEST)]
Texts = Annotated[list[Text], Query(max_length=_MOST)]
After = Annotated[str | None, Query(description="`next` of the previous response", max_length=_LONGEST)]


async def run_filter(
    *,
    state: Annotated[Texts, Query(description="Effective state; repeat to allow several")] = [],  # noqa: B006
    tag: Annotated[Texts, Query(description="Tag; repeat to require several")] = [],  # noqa: B006
    group: Text = "",
    job_type: Text = "",
    user: Annotated[Text, Query(description="The user who started the run, `metadata.username`")] = "",
    name: Annotated[Text, Query(description="Part of the name, or a pattern with `*` or `?`, or the id")] = "",
    config: Annotated[Texts, Query(description="`KEY=VALUE`; repeat to require several")] = [],  # noqa: B006
    filters: Annotated[
        str,
        Query(max_length=mongo.LONGEST, description="A filter like those of MongoDB, as JSON; see docs/http-api.md"),
    ] = "",
    since: Annotated[float | None, Query(ge=0, le=_LATEST_S, description="Earliest start, seconds since 1970")] = None,
) -> RunFilter:
    """Return the conditions of a request; empty ones, such as those of an empty field of a form, are left out."""
    try:
        conditions = tuple(config_condition(text) for text in config if text)
    except ValueError as error:
        raise BadParameter("config", str(error)) from error
    try:
        also = mongo.parse(filters) if filters else EVERYTHING
    except ValueError as error:
        raise BadParameter("filters", str(error)) from error
    if unknown := [name for name in state if name and name not in _STATES]:
        raise BadParameter("state", f"Invalid state {unknown[0]!r}: expected one of {', '.join(_STATES)}")
    return RunFilter(
        states=frozenset(state) - {""},
        tags=frozenset(tag) - {""},
        group=group or None,
        job_type=job_type or None,
        user=user or None,
        name=name or None,
        config=conditions,
        since=since,
        also=also,
    )


async def run_order(
    order: Annotated[
        Text, Query(description="created, name, state, a field of filters, config.KEY or summary.KEY; - for descending")
    ] = "",
) -> RunOrder:
    """Return the order of a request; newest first by default."""
    try:
        return RunOrder.parse(order) if order else NEWEST_FIRST
    except ValueError as error:
        raise BadParameter("order", str(error)) from error


TheFilter = Annotated[RunFilter, Depends(run_filter)]
TheOrder = Annotated[RunOrder, Depends(run_order)]
