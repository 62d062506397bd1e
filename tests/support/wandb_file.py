"""Read the file that W&B writes: LevelDB's log format with a header of its own, each record a protocol buffer.

Source: github.com/google/leveldb, doc/log_format.md.
"""

import json
import struct
import time
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

_BLOCK_BYTES = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def read_records(path: Path) -> list[Record]:
    """Return the records of a run that has finished: its last is "exit".

    W&B writes the file from a process of its own, now and then a moment after `Run.finish` has returned.
    """
    deadline = time.monotonic() + 10
    while not (records := _read(path)) or not records[-1].HasField("exit"):
        assert time.monotonic() < deadline, f"{path}: {len(records)} records, and no exit"
        time.sleep(0.05)
    return records


def _read(path: Path) -> list[Record]:
    content = path.read_bytes()
    if len(content) < 7:
        return []
    assert content[:4] == b":W&B"
    position, parts, records = 7, b"", []
    while position + 7 <= len(content):
        if _BLOCK_BYTES - position % _BLOCK_BYTES < 7:  # no room for a header: the rest of the block is empty
            position += _BLOCK_BYTES - position % _BLOCK_BYTES
            continue
        _checksum, length, kind = struct.unpack_from("<IHB", content, position)
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (_FULL, _LAST):
            records.append(Record.FromString(parts))
            parts = b""
        else:
            assert kind in (_FIRST, _MIDDLE)
    return records


def read_history(path: Path) -> list[dict[str, object]]:
    """Each logged row, in order."""
    rows = [record.history for record in read_records(path) if record.WhichOneof("record_type") == "history"]
    return [{"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row.item} for row in rows]
