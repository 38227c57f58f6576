"""The SQL of conditions on runs, compared with a simple evaluation of the same conditions."""

from __future__ import annotations

import json
import math
import random
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.run_lists import listing, mongo
from runstream_consumers.api.run_lists.listing import RunQuery, count_runs
from runstream_consumers.api.run_lists.order import RunOrder
from runstream_consumers.api.run_lists.simple import RunFilter
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary.consumer import SummaryConsumer, SummaryPartition
from runstream_schemas.events import Role, Scope, Writer
from runstream_schemas.topics import RunPath
from tests.events import changed
from tests.integration.summary.feeding import connected
from tests.integration.summary.test_consumer import by_hand, config

if TYPE_CHECKING:
    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.events import Event

_KEYS = ("lr", "opt", "opt.name", "opt.eps", "deep.a.b", "odd")
_VALUES: tuple[Any, ...] = (
    0, 1, 0.5, -3, 1e308, 10**400, math.inf, math.nan, True, False, None, "", "adam", "Adam", "sgd\0x", "ü\ud800",
    'q"\\', [1, 2], ["a", "adam"], [], [[1]],
)  # fmt: skip
_OPERANDS: tuple[Any, ...] = (0, 1, 0.5, True, False, "adam", "", 'q"\\', [1, 2], [])
_MISSING = object()


def random_run(draw: random.Random) -> dict[str, Any]:
    """Return the config of a run: values of any type at some of the keys."""
    found: dict[str, Any] = {}
    for key in _KEYS:
        if draw.random() < 0.4:
            continue
        value = draw.choice(_VALUES)
        if draw.random() < 0.5 or key in {"lr", "opt", "odd"}:
            found[key] = value
        else:
            first, _, rest = key.partition(".")
            if isinstance(inner := found.setdefault(first, {}), dict):
                inner[rest] = value
    return found


def random_filter(draw: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a filter with up to three levels of logical operators."""
    kind = draw.choice(("test", "test", "test", "$and", "$or", "$nor", "$not") if depth < 3 else ("test",))
    if kind == "$not":
        return {"$not": random_filter(draw, depth + 1)}
    if kind != "test":
        return {kind: [random_filter(draw, depth + 1) for _ in range(draw.randint(1, 3))]}
    field = draw.choice(("config.", "summary_metrics.")) + draw.choice(_KEYS)
    operand = draw.choice(_OPERANDS)
    number = draw.choice((0, 0.5, 1, "adam", "a"))
    operation = draw.choice(
        (
            operand,
            None,
            {"$ne": operand},
            {"$gt": number},
            {"$gte": number, "$lt": draw.choice((1, 2, "b"))},
            {"$lte": number},
            {"$in": [operand, 1, "sgd"]},
            {"$nin": [operand, None]},
            {"$exists": draw.random() < 0.5},
            {"$regex": "^a", "$options": draw.choice(("", "i"))},
            {"$not": {"$gt": number}},
        )
    )
    return {field: operation}


def value_at(nested: dict[str, Any], key: str) -> Any:
    """Return the value at a key of nested dicts, joined by dots."""
    if key in nested:
        return nested[key]
    for place in (place for place, one in enumerate(key) if one == "."):
        inner = nested.get(key[:place])
        if isinstance(inner, dict) and (found := value_at(inner, key[place + 1 :])) is not _MISSING:
            return found
    return _MISSING


def holds(given: dict[str, Any], parts: dict[str, dict[str, Any]]) -> bool:
    """Return whether a run fulfills a filter."""
    ((name, value),) = given.items()
    if name in {"$and", "$or", "$nor"}:
        found = [holds(item, parts) for item in value]
        return all(found) if name == "$and" else any(found) is (name == "$or")
    if name == "$not":
        return not holds(value, parts)
    part, _, key = name.partition(".")
    return _operations(value_at(parts[part], key), value)


def _operations(value: Any, given: Any) -> bool:
    if not (isinstance(given, dict)):
        return _equals(value, given)
    found = []
    for operator, operand in given.items():
        match operator:
            case "$ne":
                found.append(not _equals(value, operand))
            case "$in" | "$nin":
                found.append(any(_equals(value, item) for item in operand) is (operator == "$in"))
            case "$exists":
                found.append((value is not _MISSING) is operand)
            case "$regex":
                flags = re.IGNORECASE if given["$options"] else 0
                found.append(any(isinstance(one, str) and bool(re.search(operand, one, flags)) for one in _each(value)))
            case "$not":
                found.append(not _operations(value, operand))
            case "$gt" | "$gte" | "$lt" | "$lte":
                found.append(any(_compares(one, operator, operand) for one in _each(value)))
    return all(found)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _equals(value: Any, operand: Any) -> bool:
    if operand is None:
        return value is _MISSING or any(one is None for one in _each(value))
    if isinstance(operand, list):
        is_list = isinstance(value, list) and len(value) == len(operand)
        return is_list and all(_same(one, other) for one, other in zip(value, operand, strict=True))
    return any(_same(one, operand) for one in _each(value))


def _same(one: Any, other: Any) -> bool:
    return _kind(one) == _kind(other) and bool(one == other)


def _kind(value: Any) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, int | float) else type(value).__name__


def _compares(value: Any, operator: str, operand: Any) -> bool:
    if _kind(value) != _kind(operand):
        return False
    if isinstance(value, str):
        value = value.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    found = {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand, "$lte": value <= operand}
    return bool(found[operator])


async def filled(connection: Connection, database: str, runs: list[dict[str, Any]]) -> None:
    """Store runs, whose config and summary have the same values, as the consumer does."""
    for consumer in (SummaryConsumer(), LivenessConsumer(), HistoryConsumer()):
        await prepare_tables(consumer, database)
    await connection.execute("set search_path = summary")
    events: list[Event] = []
    for number, values in enumerate(runs):
        run = RunPath(entity="ada", project="p", run_id=f"r{number}")
        writer = Writer(id=number.to_bytes(16, "big"), role=Role.PRIMARY)
        set_config = config(0, *((Scope.CONFIG, key, value) for key, value in values.items()), writer=writer)
        events.append(changed(set_config, run=run))
        events += [changed(by_hand(1 + place, (key,), value), run=run, writer=writer, seq=place) for place, (key, value) in enumerate(values.items())]  # fmt: skip  # noqa: E501
    received = [
        Received(topic=event.topic, partition=0, offset=offset, append_time=1 + offset, message=b"", event=event)
        for offset, event in enumerate(events)
    ]
    await SummaryPartition().apply(connection, Batch(partition=0, events=received))


async def test_filters_agree_with_a_simple_evaluation(database: str) -> None:
    """Of runs with values of any type, any filter selects those that fulfill it, and counts them."""
    draw = random.Random(11)
    runs = [random_run(draw) for _ in range(80)]
    async with connected(database) as connection:
        await filled(connection, database, runs)
        for _ in range(400):
            given = random_filter(draw)
            expected = {f"r{number}" for number, values in enumerate(runs) if holds(given, {"config": values, "summary_metrics": values})}  # fmt: skip  # noqa: E501
            query = RunQuery(filter=RunFilter(also=mongo.parse(json.dumps(given))), limit=100)
            page = await listing.list_runs(connection, query)
            assert {found.run.run_id for found in page.runs} == expected, given
            assert await count_runs(connection, query) == len(expected)


async def test_orders_agree_with_a_simple_one(database: str) -> None:
    """Numbers come before texts, in any case of letters, other values last in both directions, the newest first."""
    draw = random.Random(7)
    runs = [random_run(draw) for _ in range(60)]
    async with connected(database) as connection:
        await filled(connection, database, runs)
        newest = [found.run.run_id for found in (await listing.list_runs(connection, RunQuery(limit=100))).runs]
        for text in ("config.lr", "-config.lr", "summary.opt.name", "-summary_metrics.opt", "name", "-id"):
            ranks = {f"r{number}": _rank(values, text, f"r{number}") for number, values in enumerate(runs)}
            known = [one for one in newest if ranks[one] is not None]
            known_ranks: dict[str, Any] = {one: ranks[one] for one in known}
            known.sort(key=known_ranks.__getitem__, reverse=text[0] == "-")
            expected = known + [one for one in newest if ranks[one] is None]
            pages: list[str] = []
            after = None
            while after is not None or not pages:
                query = RunQuery(order=RunOrder.parse(text), limit=17, after=after)
                page = await listing.list_runs(connection, query)
                pages += [found.run.run_id for found in page.runs]
                after = page.next
            assert pages == expected, text


def _rank(values: dict[str, Any], text: str, run_id: str) -> Any:
    part, _, key = text.lstrip("-").partition(".")
    value = run_id if part in {"name", "id"} else value_at(values, key)
    if isinstance(value, str):
        return (1, value.replace("\0", "\ufffd").replace("\ud800", "\ufffd").lower())
    if isinstance(value, int | float) and not (isinstance(value, float) and math.isnan(value)):
        return (0, min(max(value, -sys.float_info.max), sys.float_info.max))
    return None


async def test_an_endless_regular_expression_is_refused(database: str) -> None:
    """What Postgres cannot compile, or takes too long with, is an error of the request."""
    async with connected(database) as connection:
        await filled(connection, database, [{"lr": "a" * 900}])
        for pattern, problem in (
            ("(((((a*)*)*)*)*)*$b", None),
            ("(" * 100, "parentheses"),
            ("((a{0,100}){0,100}){0,100}b", "too complex"),
            ("(?=.*(a|aa)+$)x", None),
        ):
            condition = mongo.parse(json.dumps({"config.lr": {"$regex": pattern}}))
            query = RunQuery(filter=RunFilter(also=condition))
            if problem is None:
                assert (await listing.list_runs(connection, query)).runs == []
            else:
                with pytest.raises(BadParameter, match=problem):
                    await listing.list_runs(connection, query)
