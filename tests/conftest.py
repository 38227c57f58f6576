"""Real servers for the tests, started once per session on free loopback ports in a temporary folder.

All test processes share them (``tests/shared_servers.py``). They are stopped even if the session is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from runstream_deploy.processes.reaper import Reaper, send_signal
from runstream_deploy.services.topics import connected_admin, ensure_topics, once_recovered
from runstream_schemas.topics import Topic, topic_name
from tests import shared_servers
from tests.leftovers import MARK, describe, marked
from tests.own_broker import OwnBroker
from tests.polling import eventually
from tests.run_aside import run_aside as run_aside  # noqa: PLC0414 - for tests
from tests.running_stack import Stack as Stack  # noqa: PLC0414 - the type of a fixture, for tests
from tests.running_stack import running_stack
from tests.shared_servers import await_end, shared_server
from tests.trainers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_deploy.services.kafka import Kafka
    from runstream_deploy.services.object_store import ObjectStore
    from runstream_deploy.services.postgres import Postgres


# Property tests check results. On a busy machine, a slow example is not a failure.
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: For `make check`: a quarter of the examples. A test that needs more than the default multiplies it.
settings.register_profile("quick", settings.get_profile("full"), max_examples=25)
#: For CI (see the Makefile): the same examples each time, so that a change is judged by what it changes.
#: Half as many: the others would be the same each time as well. Local runs try others.
settings.register_profile("ci", settings.get_profile("full"), derandomize=True, max_examples=50)
settings.load_profile("full")


#: The files that suspend or kill processes of a stack, or examine a whole one: one after another, on ``own_stack``.
DISTURBING = (
    "tests/faults/test_chaos.py",
    "tests/faults/test_outage.py",
    "tests/faults/test_uploads.py",
    "tests/e2e/test_documented_function.py",
    "tests/e2e/test_exit_states.py",
    "tests/e2e/test_run_control.py",
    "tests/integration/deploy/test_recovery.py",
    "tests/integration/deploy/test_stack.py",
)

#: The files that take longest are started first, so that no test process runs alone at the end.
LONGEST = (
    *DISTURBING,
    "tests/integration/deploy/test_lifecycle.py",
    "tests/integration/deploy/test_demo.py",
    "tests/integration/history/test_history.py",
    "tests/e2e/test_artifacts.py",
    "tests/property/values/test_hostile_values.py",
    "tests/property/liveness/test_model.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first, and keep the order otherwise."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(_file(item.nodeid), len(places)))


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, give all disturbing files to one test process: it alone starts ``own_stack``."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only where xdist is installed

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "disturbing" if _file(nodeid) in DISTURBING else _file(nodeid)

    return Scheduling(config, log)


#: The folder of the shared servers, in the process that created it.
_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the messages of failed comparisons short, also in CI, and keep compiled modules.

    With the first variables pytest formats all differences. Of hundreds of rows that takes seconds, for each failed
    attempt of a poll, and the consumers in the test's event loop lose their sessions meanwhile. With the last one each
    of the thousands of processes that the tests start would compile its modules again.
    """
    for name in ("CI", "BUILD_NUMBER", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    sys.dont_write_bytecode = False
    if shared_servers.FOLDER not in os.environ:
        config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="runstream-tests-"))
        os.environ[shared_servers.FOLDER] = str(config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Wait until the shared servers have been stopped, in the process that started the session."""
    if folder := config.stash.get(_FOLDER, None):
        del os.environ[shared_servers.FOLDER]
        await_end(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_reaches_programs() -> Iterator[None]:
    """Let child processes be interrupted: shells start background processes with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail the session if processes that its tests started are still running, and kill them."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    # Tests start thousands of runs, each of which would describe this repository.
    os.environ.setdefault("RUNSTREAM_DISABLE_GIT", "true")
    yield
    del os.environ[MARK]
    try:
        eventually(lambda: not describe(marked(mark)), within=120)
    except AssertionError:
        left = marked(mark)
        commands = describe(left)
        for pid, start in left:
            send_signal(pid, start, signal.SIGKILL)
        pytest.fail("Processes started by tests are still running:\n" + "\n".join(commands), pytrace=False)


@pytest.fixture(scope="session")
def reaper(nothing_left_running: None) -> Iterator[Reaper]:  # noqa: ARG001 - torn down before that one
    """Start the process that stops all servers if the session is killed."""
    reaper = Reaper()
    yield reaper
    reaper.close()


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    """Start a local stack with liveness timeouts of seconds, unless another test process has."""
    with shared_server("stack") as stack:
        yield stack


@pytest.fixture(scope="session")
def own_stack(tmp_path_factory: pytest.TempPathFactory, reaper: Reaper) -> Iterator[Stack]:
    """Start a local stack of this test process."""
    with running_stack(tmp_path_factory.mktemp("stack") / "data", reaper) as stack:
        yield stack


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return a local stack, which disturbing files do not share with other test processes."""
    found: Stack = request.getfixturevalue("own_stack" if _file(request.node.nodeid) in DISTURBING else "shared_stack")
    return found


@pytest.fixture
def server(stack: Stack) -> Server:
    """Return the HTTP API of the stack as a plain HTTP client uses it."""
    return Server(url=stack.url, token=stack.token, entity=stack.entity)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """Start a Kafka broker, unless another test process has."""
    with shared_server("kafka") as kafka:
        yield kafka


@pytest.fixture(scope="session")
def broker(kafka: Kafka) -> str:
    """Return the broker's ``host:port``."""
    return kafka.address


@pytest.fixture
def own_broker(tmp_path: Path, reaper: Reaper) -> Iterator[OwnBroker]:
    """Return a separate broker, with topics under the prefix ``own``."""
    broker = OwnBroker(tmp_path, reaper)
    run_aside(ensure_topics(broker.kafka.address, "own", partitions=2))
    yield broker
    broker.signal(signal.SIGCONT)
    broker.kill()


async def delete_topics(broker: str, prefix: str) -> None:
    """Delete the topics of a prefix and everything in them."""

    async def delete() -> None:
        async with connected_admin(broker) as admin:
            await admin.delete_topics([topic_name(prefix, topic) for topic in Topic])

    await once_recovered(delete)


@pytest.fixture
def prefix(broker: str) -> Iterator[str]:
    """Create topics with a new prefix and two partitions each; return the prefix."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    run_aside(ensure_topics(broker, prefix, partitions=2))
    yield prefix
    run_aside(delete_topics(broker, prefix))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL server, unless another test process has."""
    with shared_server("postgres") as postgres:
        yield postgres


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Create a database; return its DSN."""
    name = f"t{uuid.uuid4().hex[:12]}"
    run_aside(postgres.ensure_database(name))
    yield postgres.address(name)
    run_aside(_drop(postgres, name))


async def _drop(postgres: Postgres, name: str) -> None:
    connection = await asyncpg.connect(postgres.address())
    try:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """Start an S3 server, unless another test process has."""
    with shared_server("s3") as store:
        yield store
