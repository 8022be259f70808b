"""The official files of NAS-Bench-101: TFRecords of JSON of protocol buffers, read without TensorFlow."""

from __future__ import annotations

import base64
import json
import struct
from array import array
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from archwright.benchmarks.nas_bench_101 import GRAPH
from archwright.benchmarks.table import COST, BadTable, Numbers
from archwright.spaces.graphs import Graph
from archwright.spaces.nas_bench_101 import NUMBERS, VERTICES, module_hash

FULL = 108
"""Epochs of full fidelity."""

CHECKED = 1000
"""Of so many cells the hash is computed and compared; the others' is believed."""


def read(path: Path) -> dict[str, Numbers]:
    """The arrays of `nasbench101.npz` from `nasbench_full.tfrecord` or `nasbench_only108.tfrecord`.

    A record is a JSON list: hash, epochs, adjacency matrix row by row, operations, metrics. A cell's trainings with
    equal epochs are its repetitions, in the order of the file.

    Raises:
        BadTable: not such a file, or a damaged one.
    """
    rows: dict[str, int] = {}
    graphs: list[Row] = []
    repetitions: dict[tuple[int, int], int] = defaultdict(int)
    measured: dict[tuple[int, int], tuple[array[int], array[float]]] = {}
    for record in records(path):
        try:
            digest, epochs, adjacency, operations, packed = json.loads(record)
            metrics = base64.b64decode(packed)
            if digest not in rows:
                rows[digest] = len(rows)
                graphs.append(_graph(digest, adjacency, operations, metrics, checked=len(rows) <= CHECKED))
            values = _final(metrics)
        except (
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            RecursionError,
            OverflowError,
            MemoryError,
            struct.error,
        ) as error:
            raise BadTable(f"{path} is not laid out as the files of NAS-Bench-101 are: {error!r}") from None
        row = rows[digest]
        places, numbers = measured.setdefault((epochs, repetitions[row, epochs]), (array("q"), array("d")))
        places.append(row)
        numbers.extend(values)
        repetitions[row, epochs] += 1
    if not rows:
        raise BadTable(f"{path} holds no record")
    columns: dict[str, Numbers] = {}
    for (epochs, seed), (places, numbers) in sorted(measured.items()):
        table = np.array(numbers).reshape(len(places), -1)
        for number, metric in enumerate((COST, "valid_accuracy", "test_accuracy")):
            column = columns[f"{metric}@{epochs / FULL!r}#{seed}"] = np.full(len(rows), np.nan, np.float32)
            column[np.array(places)] = table[:, number]
    kinds = ("S16", "u1", "u4", f"S{VERTICES - 2}", "i4")
    told = [np.array([graph[place] for graph in graphs], kind) for place, kind in enumerate(kinds)]
    order = np.argsort(told[0])
    return {name: values[order] for name, values in (dict(zip(GRAPH, told, strict=True)) | columns).items()}


def records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file: length (8 bytes), its checksum (4), the record, its checksum (4).

    Raises:
        BadTable: a checksum does not fit, or the file ends in the middle of a record.
    """
    with path.open("rb") as file:
        while head := file.read(8):
            _check(head, file, path)
            (length,) = struct.unpack("<Q", head)
            record = file.read(length)
            if len(record) < length:
                raise BadTable(f"{path} is cut off: its last record is incomplete")
            _check(record, file, path)
            yield record


def _check(data: bytes, file: IO[bytes], path: Path) -> None:
    stored = file.read(4)
    if len(stored) < 4 or masked_crc(data) != struct.unpack("<I", stored)[0]:
        raise BadTable(f"{path} is damaged or no TFRecord file: a checksum does not fit at byte {file.tell()}")


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli), rotated right by 15 bits, plus TFRecord's constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]


Row = tuple[str, int, int, str, int]
"""What `GRAPH` names."""


def _graph(digest: str, adjacency: str, operations: str, metrics: bytes, checked: bool) -> Row:
    labels = operations.split(",")
    size = len(labels)
    if not 2 <= size <= VERTICES or len(adjacency) != size**2:
        raise ValueError(f"{size} vertices with an adjacency matrix of {len(adjacency)} numbers")
    edges = [(a, b) for b in range(size) for a in range(b) if adjacency[a * size + b] == "1"]
    if checked and module_hash(Graph(tuple(labels), tuple((a, b, "") for a, b in edges))) != digest:
        raise ValueError(f"the hash {digest} is not that of its graph")
    bits = sum(1 << a + b * (b - 1) // 2 for a, b in edges)
    return digest[:16], size, bits, "".join(str(NUMBERS[label]) for label in labels[1:-1]), dict(fields(metrics))[2]


def _final(metrics: bytes) -> tuple[float, float, float]:
    """Training seconds, validation and test accuracy after the last epoch.

    Of ModelMetrics, field 1 is an evaluation: before, in the middle and at the end of the training. Of an evaluation,
    field 2 is the training time, 4 the validation accuracy, 5 the test accuracy.
    """
    last = [value for field, value in fields(metrics) if field == 1][2]
    values = dict(fields(last))
    return values[2], values[4], values[5]


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer by number: whole numbers, doubles, and bytes for what is nested.

    Raises:
        ValueError: a kind of field that the benchmark does not use, or a message that is cut off.
    """
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while place < len(message):
        field, kind = divmod(varint(), 8)
        if kind == 0:
            yield field, varint()
        elif kind == 1:
            yield field, struct.unpack_from("<d", message, place)[0]
            place += 8
        elif kind == 2:
            length = varint()
            yield field, message[place : place + length]
            place += length
        else:
            raise ValueError(f"field {field} is of kind {kind}")
