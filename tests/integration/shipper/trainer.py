"""A process that logs: ``trainer.py RUN_DIR ROWS_PER_BURST BURSTS PAUSE_S END`` appends rows {"n": 0}, {"n": 1}.

It prints its writer's id once the writer exists and ``done`` when it has logged; then it finishes (END ``finish``),
waits for a signal (``wait``), or exits with a status (a number) without finishing.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from pathlib import Path

import msgspec

from runstream.run_folder.process_identity import Host, process_start
from runstream.spool.format import StreamCode
from runstream.spool.writer import SpoolWriter


def main(folder: str, burst: str, bursts: str, pause_s: str, end: str) -> None:
    """Log rows, then end as specified."""
    identifier = secrets.token_bytes(16)
    path = Path(folder) / "spool" / identifier.hex()
    path.mkdir(parents=True)
    host = Host.here()
    info = {
        "version": 1,
        "role": "primary",
        "pid": os.getpid(),
        "pid_started": process_start(os.getpid()),
        "boot_id": host.boot_id,
        "created": 0,
        "host": host.name,
        "label": "rank0",
        "continues": [],
    }
    draft = path / "writer.new"
    draft.write_text(json.dumps(info))
    draft.rename(path / "writer.json")
    writer = SpoolWriter(path, identifier)
    sys.stdout.write(f"{identifier.hex()}\n")
    sys.stdout.flush()
    number = 0
    for _ in range(int(bursts)):
        for _ in range(int(burst)):
            payload = msgspec.msgpack.encode({"n": number})
            writer.append_whole_row(StreamCode.HISTORY, number, time.time_ns() // 1000, payload)
            number += 1
        time.sleep(float(pause_s))
    sys.stdout.write("done\n")
    sys.stdout.flush()
    if end == "finish":
        writer.append_last({"state": "finished", "exit_code": 0, "signal": 0, "reason": ""})
    elif end == "wait":
        signal.pause()
    else:
        os._exit(int(end))


main(*sys.argv[1:])
