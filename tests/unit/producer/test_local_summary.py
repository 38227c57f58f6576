"""``run.summary`` of a process: what it logged, what its parent logged, and what is left after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_counts_once_it_is_complete(tmp_path: Path) -> None:
    """What is held back, or open at an explicit step, is not in the summary yet; the next row lets it in."""
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


def test_after_the_end_it_reads_as_empty(tmp_path: Path) -> None:
    """With a warning; setting a value raises."""
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


def test_a_forked_child_shows_what_its_parent_logged_and_its_own(tmp_path: Path) -> None:
    """Before its first row and after it; the parent's own summary stays as it is."""
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
    """Every reading is of a moment: what one shows is never less than what the one before showed."""
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


def test_a_signal_in_the_midst_of_reading_costs_nothing(tmp_path: Path) -> None:
    """Handlers that read, and interrupts that end a reading, leave the summary right."""
    status, output, errors = finished(
        tmp_path,
        """
run.define_metric("n", summary="max,min,mean")
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
