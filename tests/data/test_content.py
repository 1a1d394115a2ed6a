"""Nothing gets a file's name unless it is that file."""

import gzip
import hashlib
import io
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.data.content import store_content
from cocodesign.data.manifest import DataFile
from cocodesign.errors import DataMismatchError


class InPieces:
    """A stream that returns a few bytes at a time, as a socket may."""

    def __init__(self, content, size):
        self.stream = io.BytesIO(content)
        self.size = size

    def read(self, size=-1, /):
        return self.stream.read(min(size, self.size))


@given(parts=st.lists(st.binary(max_size=400), max_size=3), size=st.integers(1, 64))
def test_stores_what_was_compressed_however_it_arrives(parts, size):
    content = b"".join(parts)
    file = DataFile("a", len(content), _sha256(content))
    zipped = b"".join(map(gzip.compress, parts)) or gzip.compress(b"")
    for stream, compression in ((content, "none"), (zipped, "gzip")):
        with tempfile.TemporaryDirectory() as folder:
            path = store_content(
                InPieces(stream, size), file, Path(folder), compression
            )
            assert path == Path(folder) / "a"
            assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"abcdeX", b"abcde", b"abcdefg", b""])
def test_refuses_another_content(content, tmp_path, make_file):
    file = make_file("a", b"abcdef")
    with pytest.raises(DataMismatchError, match=r"^a "):
        store_content(io.BytesIO(content), file, tmp_path, "none")
    assert not (tmp_path / "a").exists()


def test_names_the_actual_and_the_expected_digest(tmp_path, make_file):
    with pytest.raises(DataMismatchError) as caught:
        store_content(io.BytesIO(b"xyz"), make_file("a", b"abc"), tmp_path, "none")
    assert _sha256(b"xyz") in str(caught.value)
    assert _sha256(b"abc") in str(caught.value)


@pytest.mark.parametrize("kept", [0, 1, 5, 12, 30, -1, -8])
def test_refuses_a_truncated_gzip_file(kept, tmp_path, make_file):
    content = bytes(range(200))
    zipped = gzip.compress(content)
    with pytest.raises(DataMismatchError):
        store_content(
            io.BytesIO(zipped[:kept]), make_file("a", content), tmp_path, "gzip"
        )
    assert not (tmp_path / "a").exists()


def test_refuses_a_page_where_a_gzip_file_should_be(tmp_path, make_file):
    page = io.BytesIO(b"<html>Please log in to the hotel's network</html>")
    with pytest.raises(DataMismatchError, match="no intact gzip"):
        store_content(page, make_file("a", b"abc"), tmp_path, "gzip")


def test_a_decompression_bomb_costs_neither_memory_nor_disk(tmp_path, make_file):
    bomb = io.BytesIO(gzip.compress(bytes(100_000_000)))
    tracemalloc.start()
    with pytest.raises(DataMismatchError, match="longer than 3 bytes"):
        store_content(bomb, make_file("a", b"abc"), tmp_path, "gzip")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4_000_000
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
