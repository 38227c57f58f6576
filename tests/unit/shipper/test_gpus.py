"""The GPUs of the machine in the metadata of a run: read by the shipper, with the library's own structures."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pynvml
import pytest

from runstream.run_folder.process_identity import Host
from runstream.shipper.sources.collector import Collector
from runstream.shipper.writers.writer_tail import WriterTail
from runstream.spool.reader import read_spool
from runstream_schemas import events, values
from runstream_schemas.events import Role
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import Topic
from tests.property.summary.runs import RUN, change_event
from tests.unit.run_folder.test_folder import folder_with

if TYPE_CHECKING:
    from pathlib import Path

_FOUND = [{"name": "Tesla T4", "memoryTotal": 16_106_127_360}]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for the driver as a machine with one GPU does; other questions are not supported."""

    class NotSupportedError(pynvml.NVMLError):  # type: ignore[misc] # untyped
        pass

    def refused(*_: object) -> None:
        raise NotSupportedError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    memory = pynvml.c_nvmlMemory_t(total=16_106_127_360, free=16_000_000_000, used=106_127_360)
    nvml: Any = ModuleType("pynvml")
    vars(nvml).update({name: refused for name in vars(pynvml) if name.startswith("nvmlDeviceGet")})
    vars(nvml).update(
        NVMLError=pynvml.NVMLError,
        NVML_TEMPERATURE_GPU=pynvml.NVML_TEMPERATURE_GPU,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetName=lambda _: b"Tesla T4",
        nvmlDeviceGetMemoryInfo=lambda _: memory,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("role", "settings", "recorded"),
    [
        (Role.PRIMARY, {}, True),
        (Role.WORKER, {}, False),
        (Role.PRIMARY, {"machine_info": False}, False),
        (Role.PRIMARY, {"capture_system_metrics": False}, False),
    ],
)
def test_gpus_are_recorded_with_the_first_sample(
    tmp_path: Path,
    role: Role,
    settings: dict[str, object],
    recorded: bool,  # noqa: FBT001
) -> None:
    """The shipper of the primary records them once, unless a setting excludes it."""
    folder = folder_with(tmp_path, settings=settings)
    host = Host.here()
    _, writer = folder.create_writer(role, "")
    tail = WriterTail(folder, folder.writer_info(writer), host)
    collector = Collector(folder, host, console=0, sample=True)
    for now in (1.0, 100.0, 200.0):
        collector.collect([tail], pending=0, now=now)
    collector.writer.end()
    collector.close()
    path = folder.writer_folder(collector.writer.id)
    found = [record.payload for record in read_spool(path)] if path.exists() else []
    assert b"".join(found).count(b"gpu_nvidia") == recorded
    assert b"".join(found).count(b"Tesla T4") == recorded


def test_gpus_from_a_shipper_describe_the_run() -> None:
    """Of the metadata of a shipper, only its GPUs are those of the run."""
    state = SummaryState(run=RUN)
    entries = tuple(
        events.Entry(op=events.Operation.SET, path=(name,), value=values.dump(_FOUND), scope=events.Scope.METADATA)
        for name in ("gpu_nvidia", "host")
    )
    record = events.Record(order=0, time=0, entries=entries)
    state.fold(change_event(events.Writer(id=bytes(16), role=Role.SHIPPER), Topic.CONFIG, [record]), 0, 0)
    assert state.metadata.resolve() == {"gpu_nvidia": _FOUND}
