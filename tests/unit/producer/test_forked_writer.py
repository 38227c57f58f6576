"""How a forked child becomes a writer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished
from tests.unit.producer.spooled import only_run, rows, writers

if TYPE_CHECKING:
    from pathlib import Path

#: Forks children, each of which is interrupted in another line of its first log().
INTERRUPTED = """
import sys
def child(at):
    line = 0
    def trace(frame, event, _):
        nonlocal line
        if "runstream" not in frame.f_code.co_filename:
            return None
        if event == "line":
            line += 1
            if line == at:
                sys.settrace(None)
                interrupt()
        return trace
    sys.settrace(trace)
    run.log({"by": "child"})
    sys.settrace(None)
    return line
at = 1
while True:
    pid = os.fork()
    if not pid:
        reached = child(at)
        run.log({"by": "later"})
        os._exit(0 if reached >= at else 9)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        break
    at += 3
print(status, at > 300)
"""


def test_a_handler_can_log_wherever_it_interrupts_the_first_log_of_a_child(tmp_path: Path) -> None:
    """The child becomes one writer, with the row of the handler, that of the interrupted call, and the later one."""
    status, output, errors = finished(
        tmp_path, "def interrupt():\n    run.log({'by': 'handler'})\n" + INTERRUPTED, RUNSTREAM_CONSOLE="off"
    )

    assert (status, output, errors) == (0, "9 True\n", "")
    found = writers(only_run(tmp_path), "child")
    assert len({json.loads((path / "writer.json").read_text())["pid"] for path in found}) == len(found) > 100
    logged = [sorted(row.values["by"] for row in rows(path)) for path in found]
    assert [row for row in logged if row != ["child", "handler", "later"]] == [["child", "later"]]
    assert [path.name for path in (only_run(tmp_path) / "spool").iterdir() if path.name.startswith(".")] == []


def test_threads_log_in_a_child_at_once(tmp_path: Path) -> None:
    """Threads of a child that log for the first time become one writer."""
    status, output, errors = finished(
        tmp_path,
        """
for _ in range(20):
    pid = os.fork()
    if not pid:
        barrier = threading.Barrier(4)
        def work():
            barrier.wait()
            run.log({"n": 1})
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os._exit(0)
    os.waitpid(pid, 0)
""",
        RUNSTREAM_CONSOLE="off",
    )

    assert (status, output, errors) == (0, "", "")
    assert [len(rows(path)) for path in writers(only_run(tmp_path), "child")] == [4] * 20
