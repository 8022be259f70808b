"""A small file in the official layout, written by an encoder of the test's own."""

import base64
import hashlib
import json
import struct

import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.official_101 import fields, masked_crc, read, records
from archwright.benchmarks.table import BadTable

CONV, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
CELLS = [  # adjacency row by row, operations, parameters
    ("0100001000010000", ["input", CONV, POOL, "output"], 12345),
    ("01" + "00", ["input", "output"], 2_000_000_000),
    ("011" + "001" + "000", ["input", CONV1, "output"], 7),
]
EPOCHS = (4, 12, 36, 108)


def official_hash(adjacency, labels):
    """The definition once more, over a matrix."""
    size = len(labels)
    matrix = [[int(adjacency[a * size + b]) for b in range(size)] for a in range(size)]
    numbers = [{"input": -1, "output": -2, CONV: 0, CONV1: 1, POOL: 2}[label] for label in labels]

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    hashes = [md5(str((sum(matrix[v]), sum(row[v] for row in matrix), numbers[v]))) for v in range(size)]
    for _ in range(size):
        hashes = [
            md5(
                "".join(sorted(hashes[w] for w in range(size) if matrix[w][v]))
                + "|"
                + "".join(sorted(hashes[w] for w in range(size) if matrix[v][w]))
                + "|"
                + hashes[v]
            )
            for v in range(size)
        ]
    return md5(str(sorted(hashes)))


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def metrics(valid, test, seconds, parameters):
    """ModelMetrics of three EvaluationData, the last of them the final one."""
    encoded = b""
    for share in (0.0, 0.5, 1.0):
        doubles = (share * 108, share * seconds, share, share * valid, share * test)
        data = b"".join(bytes([number << 3 | 1]) + struct.pack("<d", value) for number, value in enumerate(doubles, 1))
        data += bytes([6 << 3 | 2]) + varint(4) + b"ckpt"
        encoded += bytes([1 << 3 | 2]) + varint(len(data)) + data
    return encoded + bytes([2 << 3]) + varint(parameters) + bytes([3 << 3 | 1]) + struct.pack("<d", 1e4)


def framed(payload):
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked_crc(length)) + payload + struct.pack("<I", masked_crc(payload))


def scores(cell, epochs, seed):
    return 0.5 + cell / 10 + seed / 100 + epochs / 1000, 0.4 + cell / 10 + seed / 100, epochs * 10.0 + seed


def entries(epochs=EPOCHS):
    for seed in range(3):
        for number, (adjacency, labels, parameters) in enumerate(CELLS):
            for count in epochs:
                packed = base64.b64encode(metrics(*scores(number, count, seed), parameters)).decode()
                yield [official_hash(adjacency, labels), count, adjacency, ",".join(labels), packed]


def write(path, rows):
    path.write_bytes(b"".join(framed(json.dumps(row).encode()) for row in rows))
    return path


def test_the_checksum_by_published_values():
    """RFC 3720, appendix B.4, and the check value of CRC-32C."""
    for data, wanted in ((b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):
        turned = (masked_crc(data) - 0xA282EAD8) & 0xFFFFFFFF
        assert (turned >> 17 | turned << 15) & 0xFFFFFFFF == wanted


def test_what_is_imported_answers(tmp_path):
    kept = aw.benchmarks.import_table(write(tmp_path / "nasbench_full.tfrecord", entries()), tmp_path)
    assert kept == tmp_path / "nasbench101.npz"
    benchmark = aw.benchmarks.nasbench101(tmp_path)
    assert len(benchmark.table) == 3
    assert (benchmark.objective, benchmark.score) == ("valid_accuracy", "test_accuracy")
    assert benchmark.table.fidelities == (4 / 108, 12 / 108, 36 / 108, 1.0)
    by_key = {benchmark.space.key(benchmark.table.architecture(row)): row for row in range(3)}
    for number, (adjacency, labels, parameters) in enumerate(CELLS):
        architecture = benchmark.table.architecture(by_key[official_hash(adjacency, labels)])
        assert benchmark.space.graph(architecture).labels == tuple(labels)
        for epochs in EPOCHS:
            for seed in range(3):
                answer = benchmark.estimator.estimate(benchmark.space, aw.Trial(architecture, epochs / 108, seed))
                valid, _, seconds = scores(number, epochs, seed)
                assert answer.metrics["valid_accuracy"] == pytest.approx(valid)
                assert answer.cost == seconds
                assert answer.metrics["parameters"] == parameters
        mean = np.mean([scores(number, 108, seed)[1] for seed in range(3)])
        assert benchmark.final(architecture) == {"test_accuracy": pytest.approx(mean)}


def test_the_file_of_108_epochs(tmp_path):
    write(tmp_path / "nasbench_only108.tfrecord", entries((108,)))
    aw.benchmarks.import_table(tmp_path / "nasbench_only108.tfrecord", tmp_path)
    assert aw.benchmarks.nasbench101(tmp_path).table.fidelities == (1.0,)


def test_damage_is_found(tmp_path):
    path = write(tmp_path / "a.tfrecord", entries())
    whole = path.read_bytes()
    assert len(list(records(path))) == 36
    for broken, complaint in (
        (whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], "a checksum does not fit"),
        (whole[:-10], "cut off|checksum"),
        (b"no record at all", "a checksum does not fit"),
        (b"", "holds no record"),
    ):
        path.write_bytes(broken)
        with pytest.raises(BadTable, match=complaint):
            read(path)
    for row, complaint in (
        (["0" * 32, *next(entries())[1:]], "is not that of its graph"),
        ([*next(entries())[:2], "01", *next(entries())[3:]], "adjacency matrix of 2"),
        ([*next(entries())[:4], ""], "not laid out"),
        ({"hash": 1}, "not laid out"),
    ):
        with pytest.raises(BadTable, match=complaint):
            aw.benchmarks.import_table(write(path, [row]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fields_of_a_message():
    message = bytes([2 << 3, *varint(300), 3 << 3 | 1, *struct.pack("<d", 0.1), 1 << 3 | 2, 2, *b"ab"])
    assert list(fields(message)) == [(2, 300), (3, 0.1), (1, b"ab")]
    with pytest.raises(ValueError, match="kind 5"):
        list(fields(bytes([1 << 3 | 5])))
