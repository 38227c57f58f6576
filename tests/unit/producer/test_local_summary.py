"""``run.summary`` in a process: its own rows, those of its parent, and after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_is_included_once_it_is_complete(tmp_path: Path) -> None:
    """Values that are held or at an open explicit step are not in the summary until the next row."""
    status, output, errors = finished(
        tmp_path,
        """
run.log({"a": 1})
run.log({"a": 2}, commit=False)
print(run.summary["a"])
run.log({})
print(run.summary["a"])
run.log({"a": 3}, step=9)
print(run.summary["a"], run.summary["_step"])
run.log({"a": 4}, step=10)
print(run.summary["a"], run.summary["_step"])
""",
    )

    assert (status, errors) == (0, "")
    assert output.split("\n") == ["1", "2", "2 1", "3 9", ""]


def test_the_summary_is_empty_after_the_end(tmp_path: Path) -> None:
    """Reading causes a warning; setting a value raises an error."""
    status, output, errors = finished(
        tmp_path,
        """
run = runstream.init(project="demo", mode="offline", settings={"console": "off"}, reinit=True)
run.log({"a": 1})
run.finish()
print(run.summary.as_dict(), run.summary.get("a"), "a" in run.summary)
try:
    run.summary["b"] = 1
except runstream.UsageError as error:
    print("refused")
""",
    )

    assert status == 0
    assert output == "{} None False\nrefused\n"
    assert "summary data not available" in errors


def test_a_forked_child_includes_the_rows_of_its_parent(tmp_path: Path) -> None:
    """The child has them before and after its first row; the summary of the parent does not change."""
    status, output, errors = finished(
        tmp_path,
        """
run.define_metric("a", summary="max")
run.log({"a": 5, "b": 1})
run.log({"a": 2})
child = os.fork()
if not child:
    print(dict(run.summary["a"]), flush=True)
    run.log({"b": 2, "c": 3}, step=7)
    run.log({"a": 9}, step=8)
    run.log({"a": 1}, step=9)
    print(dict(run.summary["a"]), run.summary["b"], run.summary["c"], flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(dict(run.summary["a"]), run.summary["b"], "c" in run.summary)
""",
    )

    assert (status, errors) == (0, "")
    assert output.split("\n") == ["{'max': 5}", "{'max': 9} 2 3", "{'max': 5} 1 False", ""]


def test_threads_read_while_others_log(tmp_path: Path) -> None:
    """Each reading is consistent, and a later one never has less than an earlier one."""
    status, output, errors = finished(
        tmp_path,
        """
run.define_metric("n", summary="max,min")
stop = threading.Event()
seen = []
def read():
    last = -1
    while not stop.is_set():
        now = run.summary.get("n", {}).get("max", -1)
        assert now >= last, (now, last)
        last = now
    seen.append(last)
threads = [threading.Thread(target=read) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(20000):
    run.log({"n": number})
stop.set()
for thread in threads:
    thread.join()
print(len(seen), dict(run.summary["n"]))
""",
    )

    assert (status, errors) == (0, "")
    assert output == "3 {'max': 19999, 'min': 0}\n"


def test_a_signal_while_reading_has_no_effect(tmp_path: Path) -> None:
    """The summary is correct after handlers that read it, and after exceptions that interrupt reading."""
    status, output, errors = finished(
        tmp_path,
        """
run.define_metric("n", summary="max,min,mean")
run.log({"n": 14999.5})
run.summary.get("n")  # imports what it needs: an exception while Python reads a module is printed
class Interrupt(Exception):
    pass
def handle(*_):
    run.summary.get("n")
    raise Interrupt
signal.signal(signal.SIGALRM, handle)
interrupted = 0
for number in range(300):
    for part in range(100):
        run.log({"n": number * 100 + part})
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002 + number % 7 * 0.0001)
        run.summary.get("n")
        while True:
            pass
    except Interrupt:
        interrupted += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(interrupted, dict(run.summary["n"]))
""",
    )

    assert (status, errors) == (0, "")
    assert output == "300 {'max': 29999, 'mean': 14999.5, 'min': 0}\n"


def test_a_handler_can_read_wherever_it_interrupts_a_read(tmp_path: Path) -> None:
    """A signal handler that reads the summary returns, whichever line of a read it interrupts."""
    status, output, errors = finished(
        tmp_path,
        """
run.define_metric("n", summary="max,min")
interrupted = []
def interrupt(frame, event, _):
    if event == "line":
        run.summary.get("n")
        interrupted.append(frame.f_lineno)
    return interrupt
def trace(frame, event, _):
    return interrupt if frame.f_code.co_qualname == "LocalSummary.values" else None
run.log({"n": 1})
sys.settrace(trace)
run.summary.get("n")
run.log({"n": 2})
run.summary.get("n")
sys.settrace(None)
print(len(interrupted) > 9, dict(run.summary["n"]))
""",
    )

    assert (status, errors) == (0, "")
    assert output == "True {'max': 2, 'min': 1}\n"
