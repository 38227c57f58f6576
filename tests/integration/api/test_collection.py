"""Collections of objects on a running stack's servers: when they may begin, and what remains."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from runstream_consumers.api.collector import Collector, collected
from runstream_consumers.settings import ServerSettings
from runstream_consumers.stored_objects.collection import CollectionRefused
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import PARTITIONS, served_anew
from tests.integration.api.test_files import add_file, ask_file, put_object
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres
    from tests.integration.api.serving import Served


def _settings(served: Served, postgres: Postgres, store: ObjectStore) -> ServerSettings:
    return ServerSettings(
        kafka=served.broker,
        postgres=postgres.address(served.prefix),
        prefix=served.prefix,
        partitions=PARTITIONS,
        s3_endpoint=store.endpoint,
        s3_access_key=store.access_key,
        s3_secret_key=store.secret_key,
        s3_bucket=served.prefix,
    )


@pytest.fixture
def served(
    broker: str, postgres: Postgres, object_store: ObjectStore, reaper: Reaper, tmp_path: Path
) -> Iterator[Served]:
    """Run an API of its own: a collection refuses to begin where other tests have lost a manifest."""
    with served_anew(broker, postgres, object_store, reaper, tmp_path) as served:
        yield served


async def test_a_collection_keeps_what_files_refer_to(
    served: Served, postgres: Postgres, object_store: ObjectStore
) -> None:
    """Only the object without a file is deleted; a dry run names it; a message in quarantine stops collections."""
    kept, useless = uuid.uuid4().bytes, uuid.uuid4().bytes
    run = new_recording(uuid.uuid4().hex)
    served.store(run.start({}))
    for data in (kept, useless):
        put_object(served, data)
    assert add_file(served, run, "kept", kept).status_code == 200
    eventually(lambda: ask_file(served, run, "kept").status_code == 200)
    settings = _settings(served, postgres, object_store)
    connection = await asyncpg.connect(settings.postgres)
    try:
        of_both = [hashlib.sha256(data).digest() for data in (kept, useless)]
        await connection.execute(
            "update control.object set wanted_at = wanted_at - interval '8 days' where sha256 = any($1)", of_both
        )
        would = await collected(settings, dry_run=True)
        assert (would.objects, would.bytes) == (1, len(useless))
        await connection.execute(
            'insert into runtime.quarantine (sink, topic, partition, "offset", append_time, stage, reason)'
            " values ('files', 'x', 0, 0, 0, 'decode', 'y')"
        )
        with pytest.raises(CollectionRefused, match="files has messages in quarantine"):
            await collected(settings, dry_run=False)
        await connection.execute("delete from runtime.quarantine where topic = 'x'")
        await connection.execute("select pg_advisory_lock($1)", Collector.LOCK)
        with pytest.raises(CollectionRefused, match="Another collection is running"):
            await collected(settings, dry_run=False)
        await connection.execute("select pg_advisory_unlock($1)", Collector.LOCK)
        found = await collected(settings, dry_run=False)
        assert (found.objects, found.bytes) == (1, len(useless))
        left = await connection.fetch("select sha256 from control.object where sha256 = any($1)", of_both)
        assert [row["sha256"] for row in left] == of_both[:1]
        results = await connection.fetch("select result from control.collection order by id")
        assert ["error" in row["result"] for row in results] == [False, True, False]
    finally:
        await connection.close()
    assert ask_file(served, run, "kept").content == kept
    names = [str(one.object_name) for one in object_store.client().list_objects(served.prefix, recursive=True)]
    assert not [name for name in names if name.endswith(of_both[1].hex())]
