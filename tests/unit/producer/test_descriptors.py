"""Programs that close descriptors or give up their user while a run is active."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from runstream.descriptors import KeptFile, Mapping, above_standard
from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import only_run, primary, rows

if TYPE_CHECKING:
    from pathlib import Path


def test_no_file_gets_the_number_of_a_closed_standard_stream(tmp_path: Path) -> None:
    """A daemon that prints to closed streams changes neither the spool nor the control page, and loses no row."""
    status, _, errors = finished(
        tmp_path,
        """
from contextlib import suppress
run.log({"n": 0})
standard = [os.path.exists(f"/proc/self/fd/{number}") for number in range(3)]
for number in range(1, 20_000):
    run.log({"n": number})
    with suppress(OSError):
        os.write(1, b"x" * 64)
os.mkfifo("kept") if any(standard) else None
run.finish()
""",
        begin="import os\nfor number in range(3):\n    os.close(number)\n" + BEGIN,
    )

    assert (status, errors) == (0, "")
    assert not (tmp_path / "kept").exists()
    assert [row.values["n"] for row in rows(primary(tmp_path))] == [*range(20_000)]
    assert (only_run(tmp_path) / "logs" / "console.log").read_text() == ""


def test_a_program_may_close_all_descriptors(tmp_path: Path) -> None:
    """Its files get numbers of ours: nothing is written to them, they stay open, and no row is lost."""
    status, output, errors = finished(
        tmp_path,
        """
run.log({"n": 0})
os.closerange(3, 4096)
files = [open(f"own{number}", "wb") for number in range(9)]
for number in range(1, 20_000):
    run.log({"n": number})
print("a line")
run.finish()
for file in files:
    file.write(b"own")
    file.close()
""",
    )

    assert (status, output, errors) == (0, "a line\n", "")
    assert {(tmp_path / f"own{number}").read_bytes() for number in range(9)} == {b"own"}
    assert [row.values["n"] for row in rows(primary(tmp_path))] == [*range(20_000)]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up its user")
def test_a_program_may_give_up_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not create files in the run folder any more records in the segment that it has."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # the tracer could not write its file
    tmp_path.chmod(0o755)
    status, output, errors = finished(
        tmp_path,
        """
run.log({"n": 0})
os.setuid(65534)
for number in range(1, 20_000):
    run.log({"n": number})
run.finish()
""",
    )

    assert (status, output, errors) == (0, "", "")
    assert [row.values["n"] for row in rows(primary(tmp_path))] == [*range(20_000)]


def test_a_number_that_was_reused_is_not_used(tmp_path: Path) -> None:
    """A kept file whose number belongs to another file is not intact, and neither it nor a mapping closes that file."""
    # In another process: this one has descriptors of its own, such as those of the servers.
    process = multiprocessing.get_context("fork").Process(target=_reuse_numbers, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0


def _reuse_numbers(folder: Path) -> None:
    (folder / "ours").write_bytes(bytes(4096))
    ours = KeptFile.open(folder / "ours", os.O_RDWR)
    mapping = Mapping(ours.descriptor, 4096)
    highest = os.dup(ours.descriptor)
    os.closerange(ours.descriptor, highest + 1)
    files = [(folder / "own").open("wb") for _ in range(ours.descriptor, highest + 1)]

    assert not ours.intact
    assert not mapping.intact
    assert not mapping.shrunk
    del mapping
    ours.close()
    for file in files:
        file.write(b"x")
        file.close()


def test_a_descriptor_is_moved_above_the_standard_streams() -> None:
    """The number of a standard stream is released; other numbers stay."""
    pair = os.pipe()
    assert [above_standard(number) for number in pair] == [*pair]
    kept = os.dup(0)
    try:
        moved = above_standard(0)
        assert moved > 2
        os.close(moved)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(0)
    finally:
        os.dup2(kept, 0)
        for number in (kept, *pair):
            os.close(number)
