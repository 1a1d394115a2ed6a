"""The manifests that come with the package, and what one may contain."""

import pytest

from cocodesign.data.manifest import (
    DataFile,
    DatasetManifest,
    dataset_names,
    read_manifest,
)

MANIFEST = """
name = "toy"
title = "A toy"
licence = "CC0-1.0"
homepage = "https://example.org"

[[files]]
name = "a.bin"
size_bytes = 3
sha256 = "{digest}"

[[sources]]
kind = "npm"
package = "@scope/toy@1.2.3"
member = "package/{{name}}"
""".format(digest="0" * 64)


@pytest.mark.parametrize("name", dataset_names())
def test_every_manifest_is_read_under_its_own_name(name):
    manifest = read_manifest(name)
    assert manifest.name == name
    assert manifest.licence
    assert manifest.sources


def test_fashion_mnist_has_the_sizes_that_its_shapes_imply():
    sizes = {
        file.name: file.size_bytes for file in read_manifest("fashion_mnist").files
    }
    assert sizes["train-images-idx3-ubyte"] == 16 + 60_000 * 28 * 28
    assert sizes["t10k-labels-idx1-ubyte"] == 8 + 10_000


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean fashion_mnist"):
        read_manifest("fashion-mnist")


def test_reads_files_and_sources():
    manifest = DatasetManifest.from_toml(MANIFEST)
    assert manifest.files == (DataFile("a.bin", 3, "0" * 64),)
    assert manifest.sources[0].members == {"a.bin": "package/a.bin"}
    assert manifest.digests == {"a.bin": "0" * 64}
    assert manifest.size_bytes == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence =", "license =", r"missing \['licence'\], unknown \['license'\]"),
        ('name = "toy"', 'name = "../toy"', "use a-z, 0-9 and _"),
        ('name = "a.bin"', 'name = "../a.bin"', "plain relative"),
        ('name = "a.bin"', 'name = "/etc/a"', "plain relative"),
        ('name = "a.bin"', 'name = ".verified.json"', "plain relative"),
        ('name = "a.bin"', "name = 'a\\b'", "plain relative"),
        ("size_bytes = 3", "size_bytes = -3", "below 0"),
        ("size_bytes = 3", "bytes = 3", "bytes"),
        ("0" * 64, "0" * 63, "64 hexadecimal"),
    ],
)
def test_refuses_what_is_not_allowed(old, new, message):
    assert old in MANIFEST
    with pytest.raises(ValueError, match=message):
        DatasetManifest.from_toml(MANIFEST.replace(old, new))


def test_refuses_the_same_file_twice():
    start = MANIFEST.index("[[files]]")
    end = MANIFEST.index("[[sources]]")
    with pytest.raises(ValueError, match="one twice"):
        DatasetManifest.from_toml(MANIFEST[:end] + MANIFEST[start:])
