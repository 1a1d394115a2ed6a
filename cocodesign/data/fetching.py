"""Bringing a data set into the cache, and answering for what is in it."""

import errno
import shutil
import tempfile
from pathlib import Path

from cocodesign.data.acquisition import acquire
from cocodesign.data.cache import (
    data_home,
    dataset_folder,
    dataset_state,
    find_differing,
    locked,
    mark_verified,
    publish,
    staging,
    unmark,
)
from cocodesign.data.manifest import DatasetManifest, read_manifest
from cocodesign.data.progress import FetchEvent, Progress, ignore
from cocodesign.errors import (
    DataCacheError,
    DataMismatchError,
    DataUnavailableError,
)

_LOCK_TIMEOUT_S = 1800.0


def fetch_dataset(
    dataset: str | DatasetManifest,
    *,
    verify: bool = False,
    progress: Progress = ignore,
    lock_timeout_s: float = _LOCK_TIMEOUT_S,
) -> Path:
    """Make sure that a data set is in the cache.

    A set that is there already costs a look at its names and sizes. Otherwise its
    sources are asked in their order, and what they deliver is written to a temporary
    folder and compared with the manifest before it appears in the cache. Files that
    are in the cache and right, also ones put there by hand, are kept.

    The call may be interrupted or killed at any moment and made again, and several
    processes may make it at once: one of them fetches, the others wait.

    Args:
        dataset: The name of a data set, or the manifest of one's own.
        verify: Read all cached files and fetch again those that changed.
        progress: Told of every step and every piece that arrives.
        lock_timeout_s: The longest wait for another process that is fetching it.

    Returns:
        The folder with the files of the manifest.

    Raises:
        ValueError: If there is no data set of this name.
        DataUnavailableError: If no source delivered; the message says why of each
            and what can be done by hand.
        DataMismatchError: The same, where a source delivered something else than the
            manifest describes.
        DataCacheError: If the cache cannot be written, or the lock was not free in
            time.
    """
    manifest = _manifest_of(dataset)
    folder = dataset_folder(manifest.name)
    if not verify and dataset_state(manifest) == "ready":
        return folder

    def step(message: str) -> None:
        progress(FetchEvent(manifest.name, message))

    try:
        with locked(
            manifest.name,
            timeout_s=lock_timeout_s,
            on_wait=lambda: step("waiting for another process that is fetching it"),
        ):
            if verify or dataset_state(manifest) != "ready":
                _complete(manifest, progress)
    except OSError as error:
        raise DataCacheError(_explain_cache(manifest, error)) from error
    return folder


def verify_dataset(dataset: str | DatasetManifest) -> Path:
    """Read all cached files of a data set and compare them with its manifest.

    A set that fails is no longer taken for complete: the next fetch repairs it.

    Args:
        dataset: The name of a data set, or a manifest.

    Returns:
        The folder with the files, all of them right.

    Raises:
        ValueError: If there is no data set of this name.
        DataUnavailableError: If it is not in the cache.
        DataMismatchError: If a file is missing or differs; all are named.
        DataCacheError: If the cache cannot be read.
    """
    manifest = _manifest_of(dataset)
    folder = dataset_folder(manifest.name)
    try:
        if dataset_state(manifest) == "absent":
            raise DataUnavailableError(_explain_absence(manifest))
        problems = find_differing(manifest)
        if problems:
            unmark(manifest)
    except OSError as error:
        raise DataCacheError(_explain_cache(manifest, error)) from error
    if problems:
        listing = "\n  - ".join(problems.values())
        raise DataMismatchError(
            f"{folder} differs from the manifest of {manifest.name}:\n  - {listing}\n"
            f"`cocodesign data fetch {manifest.name}` replaces these files"
        )
    return folder


def is_available(dataset: str | DatasetManifest) -> bool:
    """Say whether a data set is in the cache, by a quick look.

    Args:
        dataset: The name of a data set, or a manifest.

    Returns:
        Whether it is there completely and was verified; ``verify_dataset`` reads the
        files.
    """
    return dataset_state(_manifest_of(dataset)) == "ready"


def cached_dataset(dataset: str | DatasetManifest) -> Path:
    """Return the folder of a data set without fetching it.

    Args:
        dataset: The name of a data set, or a manifest.

    Returns:
        The folder with the files of the manifest.

    Raises:
        ValueError: If there is no data set of this name.
        DataUnavailableError: If it is not in the cache, completely and verified.
    """
    manifest = _manifest_of(dataset)
    if dataset_state(manifest) != "ready":
        raise DataUnavailableError(_explain_absence(manifest))
    return dataset_folder(manifest.name)


def data_digests(dataset: str | DatasetManifest) -> dict[str, str]:
    """Return the digests of a data set that is in the cache, for a run's provenance.

    Args:
        dataset: The name of a data set, or a manifest.

    Returns:
        SHA-256 by ``<data set>/<file>``.

    Raises:
        ValueError: If there is no data set of this name.
        DataUnavailableError: If it is not in the cache, completely and verified.
    """
    manifest = _manifest_of(dataset)
    cached_dataset(manifest)
    return {f"{manifest.name}/{name}": sha for name, sha in manifest.digests.items()}


def _manifest_of(dataset: str | DatasetManifest) -> DatasetManifest:
    return read_manifest(dataset) if isinstance(dataset, str) else dataset


def _complete(manifest: DatasetManifest, progress: Progress) -> None:
    """Fetch what is missing or wrong in the cache, under the lock."""
    failures = list[str]()
    mismatch = False

    def step(message: str) -> None:
        progress(FetchEvent(manifest.name, message))

    with staging(manifest.name) as stage:
        differing = find_differing(manifest)
        if not differing:
            mark_verified(manifest)
            step("all files are in the cache already and right")
            return
        verified = stage / "verified"
        for source in manifest.sources:
            wanted = [file for file in differing if not (verified / file.name).exists()]
            step(f"asking {source.label} for {len(wanted)} files")
            try:
                with tempfile.TemporaryDirectory(dir=stage) as scratch:
                    acquire(
                        source,
                        wanted,
                        folder=verified,
                        scratch=Path(scratch),
                        on_transfer=lambda what, done, total: progress(
                            FetchEvent(manifest.name, what, done, total)
                        ),
                    )
            except (DataUnavailableError, DataMismatchError) as error:
                mismatch = mismatch or isinstance(error, DataMismatchError)
                failures.append(f"{source.label}: {error}")
                step(failures[-1])
                continue
            publish(verified, manifest)
            step(f"{len(differing)} files verified, from {source.label}")
            return
    kind = DataMismatchError if mismatch else DataUnavailableError
    raise kind(_explain_failure(manifest, list(differing.values()), failures))


def _explain_failure(
    manifest: DatasetManifest, problems: list[str], failures: list[str]
) -> str:
    """Say why nothing came, and what a person can do about it."""
    folder = dataset_folder(manifest.name)
    found = [problem for problem in problems if "missing" not in problem]
    lines = [f"no source delivered the data set {manifest.name}:"]
    lines += [f"  - {failure}" for failure in failures or ["it names no source"]]
    if found:
        lines.append(f"and these files in {folder} are not the right ones:")
        lines += [f"  - {problem}" for problem in found]
    lines.append(
        "Try again with a network (proxies: set https_proxy and http_proxy), or put "
        f"these files, decompressed, into {folder} and call "
        f"`cocodesign data fetch {manifest.name}` again ({manifest.homepage}):"
    )
    lines += [
        f"  {file.name}  {file.size_bytes} bytes  sha256 {file.sha256}"
        for file in manifest.files
    ]
    return "\n".join(lines)


def _explain_absence(manifest: DatasetManifest) -> str:
    return (
        f"{manifest.name} is not complete in {data_home()}: "
        f"call `cocodesign data fetch {manifest.name}`"
    )


def _explain_cache(manifest: DatasetManifest, error: OSError) -> str:
    """Say what a failed access to the cache means, with a remedy."""
    home = data_home()
    remedy = "let COCODESIGN_DATA name a folder that can be written"
    if error.errno == errno.ENOSPC:
        existing = next(path for path in (home, *home.parents) if path.exists())
        free_mb = shutil.disk_usage(existing).free / 1e6
        remedy = (
            f"{manifest.name} needs {manifest.size_bytes / 1e6:.0f} MB and room for "
            f"the archive it comes in, {free_mb:.0f} MB are free: make room, or let "
            "COCODESIGN_DATA name a folder on another disk"
        )
    return f"the data cache {home} failed: {error}; {remedy}"
