"""From sources to the cache: what works, what is refused, what is left behind."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from cocodesign.data import data_digests, data_home, fetch_dataset, is_available
from cocodesign.data.fetching import verify_dataset
from cocodesign.data.sources import DebianSource, UrlSource
from cocodesign.errors import (
    DataCacheError,
    DataMismatchError,
    DataUnavailableError,
)

# Fetches the toy data set of the server at argv[1]; the digests follow.
FETCH_IN_A_PROCESS = """
import sys
from cocodesign.data import DatasetManifest, fetch_dataset
from cocodesign.data.manifest import DataFile
from cocodesign.data.sources import UrlSource

url, *described = sys.argv[1:]
files = tuple(
    DataFile(name, int(size), sha)
    for name, size, sha in (each.split() for each in described)
)
source = UrlSource({file.name: f"{url}/{file.name}" for file in files}, "none")
manifest = DatasetManifest(
    name="toy", title="", licence="", homepage="", files=files, sources=(source,)
)
print("ready", flush=True)
fetch_dataset(manifest)
"""


@pytest.fixture
def start(server):
    """Return a function that starts a process which fetches from the server."""
    started = []

    def start_process(manifest):
        described = [f"{f.name} {f.size_bytes} {f.sha256}" for f in manifest.files]
        process = subprocess.Popen(
            [sys.executable, "-c", FETCH_IN_A_PROCESS, server.url, *described],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


def read_back(folder, contents):
    return {name: (folder / name).read_bytes() for name in contents}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("zipped", [False, True])
def test_brings_the_files_into_the_cache(zipped, server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents, zipped=zipped))
    assert not is_available(manifest)
    folder = fetch_dataset(manifest)
    assert folder == data_home() / "toy"
    assert read_back(folder, contents) == contents
    assert is_available(manifest)
    assert names_in(data_home()) == [".toy.lock", "toy"]


def test_a_second_call_asks_nobody(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    first = fetch_dataset(manifest)
    steps = []
    assert fetch_dataset(manifest, progress=steps.append) == first
    assert steps == []
    assert set(server.requests.values()) == {1}


def test_a_cache_that_cannot_be_written_can_be_read(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    folder = fetch_dataset(manifest)
    for lock in data_home().glob(".*.lock"):
        lock.unlink()
    data_home().chmod(0o500)
    try:
        assert fetch_dataset(manifest) == folder
    finally:
        data_home().chmod(0o700)
    assert names_in(data_home()) == ["toy"]


def test_tells_steps_and_transfers(server, make_manifest, contents):
    events = []
    fetch_dataset(make_manifest(server.serve(contents)), progress=events.append)
    steps = [event.message for event in events if event.done_bytes is None]
    assert steps == [
        "asking 127.0.0.1 for 2 files",
        "2 files verified, from 127.0.0.1",
    ]
    last = {event.message: event for event in events if event.done_bytes is not None}
    assert {name: event.done_bytes for name, event in last.items()} == {
        name: len(content) for name, content in contents.items()
    }


def test_a_source_that_fails_hands_over_to_the_next(server, make_manifest, contents):
    missing = UrlSource({name: f"{server.url}/no/{name}" for name in contents})
    manifest = make_manifest(missing, server.serve(contents))
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_half_a_download_hands_over_and_keeps_what_was_whole(
    server, make_manifest, contents
):
    first = server.serve(contents)
    server.answers["/folder/second.txt"].sent_bytes = 100
    second = UrlSource({name: f"{server.url}/again/{name}" for name in contents})
    for name in contents:
        server.answers[f"/again/{name}"] = type(server.answers["/first.bin"])(
            contents[name]
        )
    folder = fetch_dataset(make_manifest(first, second))
    assert read_back(folder, contents) == contents
    assert server.requests["/first.bin"] == 1
    assert server.requests["/again/first.bin"] == 0


def test_a_wrong_digest_hands_over_to_the_next_source(server, make_manifest, contents):
    wrong = server.serve(
        {f"wrong/{name}": value[::-1] for name, value in contents.items()}
    )
    wrong = UrlSource({name: wrong.members[f"wrong/{name}"] for name in contents})
    manifest = make_manifest(wrong, server.serve(contents))
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_wrong_digests_everywhere_are_named(server, make_manifest, make_file, contents):
    right = make_manifest(server.serve(contents))
    server.answers["/first.bin"].body = contents["first.bin"][::-1]
    actual = make_file("first.bin", contents["first.bin"][::-1]).sha256
    with pytest.raises(DataMismatchError) as caught:
        fetch_dataset(right)
    assert actual in str(caught.value)
    assert right.digests["first.bin"] in str(caught.value)
    assert not is_available(right)
    assert names_in(data_home()) == [".toy.lock"]


def test_no_source_reached_names_every_reason_and_the_remedy(
    server, make_manifest, contents, monkeypatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    missing = UrlSource({name: f"{server.url}/no/{name}" for name in contents})
    debian = DebianSource("toy-data", {name: name for name in contents})
    manifest = make_manifest(missing, debian)
    with pytest.raises(DataUnavailableError) as caught:
        fetch_dataset(manifest)
    message = str(caught.value)
    assert "127.0.0.1: answered 404" in message
    assert "Debian package toy-data: there is no program apt-get here" in message
    assert str(data_home() / "toy") in message
    for name, digest in manifest.digests.items():
        assert name in message
        assert digest in message


def test_files_put_there_by_hand_are_checked_and_taken(make_manifest, contents):
    manifest = make_manifest()
    with pytest.raises(DataUnavailableError, match="names no source"):
        fetch_dataset(manifest)
    for name, content in contents.items():
        path = data_home() / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert not is_available(manifest)
    assert read_back(fetch_dataset(manifest), contents) == contents
    assert is_available(manifest)


def test_wrong_files_put_there_by_hand_are_named_and_kept(make_manifest):
    manifest = make_manifest()
    path = data_home() / "toy" / "first.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"still zipped")
    with pytest.raises(DataUnavailableError, match=r"first\.bin has 12 bytes"):
        fetch_dataset(manifest)
    assert path.read_bytes() == b"still zipped"


def test_a_fetch_takes_only_what_is_missing(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    path = data_home() / "toy" / "first.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(contents["first.bin"])
    assert read_back(fetch_dataset(manifest), contents) == contents
    assert server.requests == {"/folder/second.txt": 1}


def test_a_truncated_file_in_the_cache_is_fetched_again(
    server, make_manifest, contents
):
    manifest = make_manifest(server.serve(contents))
    folder = fetch_dataset(manifest)
    os.truncate(folder / "first.bin", 10)
    assert not is_available(manifest)
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_verifying_finds_a_changed_byte_and_the_next_fetch_repairs_it(
    server, make_manifest, contents
):
    manifest = make_manifest(server.serve(contents))
    folder = fetch_dataset(manifest)
    assert verify_dataset(manifest) == folder
    changed = b"X" + contents["first.bin"][1:]
    (folder / "first.bin").write_bytes(changed)
    assert is_available(manifest)  # a quick look does not read
    with pytest.raises(DataMismatchError, match=r"first\.bin has sha256"):
        verify_dataset(manifest)
    assert not is_available(manifest)
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_a_fetch_that_verifies_repairs_a_changed_byte(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    folder = fetch_dataset(manifest)
    (folder / "first.bin").write_bytes(b"X" + contents["first.bin"][1:])
    fetch_dataset(manifest, verify=True)
    assert read_back(folder, contents) == contents


def test_a_new_manifest_replaces_the_files_of_the_old_one(
    server, make_manifest, contents
):
    fetch_dataset(make_manifest(server.serve(contents)))
    changed = contents | {"first.bin": contents["first.bin"][::-1]}
    manifest = make_manifest(server.serve(changed), contents=changed)
    assert not is_available(manifest)
    assert read_back(fetch_dataset(manifest), changed) == changed


def test_digests_belong_to_what_is_in_the_cache(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    with pytest.raises(DataUnavailableError, match="cocodesign data fetch toy"):
        data_digests(manifest)
    with pytest.raises(DataUnavailableError, match="cocodesign data fetch toy"):
        verify_dataset(manifest)
    fetch_dataset(manifest)
    assert data_digests(manifest) == {
        f"toy/{file.name}": file.sha256 for file in manifest.files
    }


def test_a_lock_that_stays_taken_is_an_error_after_a_message(
    server, make_manifest, contents
):
    manifest = make_manifest(server.serve(contents))
    data_home().mkdir()
    events = []
    with (
        FileLock(data_home() / ".toy.lock"),
        pytest.raises(DataCacheError, match=r"more than 0\.2 s"),
    ):
        fetch_dataset(manifest, progress=events.append, lock_timeout_s=0.2)
    assert [event.message for event in events] == [
        "waiting for another process that is fetching it"
    ]
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_many_threads_at_once_download_once(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))
    threads = [
        threading.Thread(target=fetch_dataset, args=(manifest,)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(server.requests.values()) == {1}
    assert is_available(manifest)


@pytest.mark.slow
def test_two_processes_at_once_download_once(server, make_manifest, contents, start):
    manifest = make_manifest(server.serve(contents))
    server.answers["/first.bin"].pause_s = 0.02  # 75 pieces: long enough to meet
    processes = [start(manifest), start(manifest)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert set(server.requests.values()) == {1}
    assert read_back(data_home() / "toy", contents) == contents


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [1, 40])
def test_a_killed_fetch_leaves_nothing_that_hinders_the_next(
    pieces, server, make_manifest, contents, start
):
    manifest = make_manifest(server.serve(contents))
    answer = server.answers["/first.bin"]
    answer.pause_s = 0.02
    process = start(manifest)
    wait_until(lambda: list(data_home().glob(".toy.staging-*/verified/*.partial")))
    time.sleep(pieces * answer.pause_s)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not is_available(manifest)
    assert list(data_home().glob(".toy.staging-*"))
    answer.pause_s = 0
    assert read_back(fetch_dataset(manifest), contents) == contents
    assert names_in(data_home()) == [".toy.lock", "toy"]


def test_an_interrupt_leaves_nothing_behind(server, make_manifest, contents):
    manifest = make_manifest(server.serve(contents))

    def interrupt(event):
        if event.done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_dataset(manifest, progress=interrupt)
    assert names_in(data_home()) == [".toy.lock"]
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_a_disk_that_fills_up_is_one_clear_error(
    server, make_manifest, contents, monkeypatch
):
    manifest = make_manifest(server.serve(contents), server.serve(contents))

    def refuse(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(DataCacheError, match=r"No space left.* MB are free"):
            fetch_dataset(manifest)
    assert server.requests["/first.bin"] == 1  # the other source is not to blame
    assert names_in(data_home()) == [".toy.lock"]
    assert read_back(fetch_dataset(manifest), contents) == contents


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """Mount a file system of 64 KiB as the cache, where that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("only root may mount a small file system")
    monkeypatch.setenv("COCODESIGN_DATA", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_full_disk_is_one_clear_error(
    zipped, server, make_manifest, contents, small_disk
):
    assert len(contents["first.bin"]) > 64 * 1024
    manifest = make_manifest(server.serve(contents, zipped=zipped))
    with pytest.raises(DataCacheError, match="make room"):
        fetch_dataset(manifest)
    assert not is_available(manifest)
    assert names_in(small_disk) == [".toy.lock"]
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert read_back(fetch_dataset(manifest), contents) == contents


def test_a_cache_that_is_no_folder_is_one_clear_error(
    make_manifest, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COCODESIGN_DATA", str(tmp_path / "file"))
    with pytest.raises(DataCacheError, match="let COCODESIGN_DATA name a folder"):
        fetch_dataset(make_manifest())


def test_the_cache_is_where_the_user_or_the_platform_says(monkeypatch, tmp_path):
    monkeypatch.setenv("COCODESIGN_DATA", "~/data")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_home() == tmp_path / "data"
    monkeypatch.delenv("COCODESIGN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    if sys.platform == "linux":
        assert data_home() == tmp_path / "caches" / "cocodesign"
    assert data_home().is_relative_to(Path(tmp_path))


def wait_until(condition, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
