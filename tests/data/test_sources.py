"""What a manifest may say about a source."""

import pytest

from cocodesign.data.sources import DebianSource, UrlSource, source_from_table

FILES = ["a.bin", "sub/b.bin"]


def test_fills_the_name_of_each_file_into_the_pattern():
    table = {"kind": "url", "url": "https://example.org/{name}.gz"}
    source = source_from_table({**table, "compression": "gzip"}, FILES)
    assert source == UrlSource(
        {
            "a.bin": "https://example.org/a.bin.gz",
            "sub/b.bin": "https://example.org/sub/b.bin.gz",
        },
        "gzip",
    )


def test_takes_the_member_of_each_file_from_a_table():
    members = {"a.bin": "usr/share/x/A", "sub/b.bin": "usr/share/x/B"}
    table = {"kind": "debian", "package": "dataset-x", "members": members}
    assert source_from_table(table, FILES) == DebianSource("dataset-x", members)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "ftp"}, "kind 'ftp'"),
        ({"kind": "url"}, "needs a member pattern"),
        ({"kind": "url", "url": "https://example.org/all.bin"}, "same member"),
        ({"kind": "url", "url": "file:///etc/{name}"}, "not an http"),
        ({"kind": "url", "url": "https://h/{name}", "retries": 3}, "retries"),
        ({"kind": "url", "url": "https://h/{name}", "compression": "xz"}, "'xz'"),
        ({"kind": "debian", "member": "usr/{name}"}, "package"),
        ({"kind": "debian", "package": "-oX=y", "member": "{name}"}, "'-oX=y'"),
        ({"kind": "debian", "package": "x-y", "member": "../{name}"}, "plain relative"),
        ({"kind": "debian", "package": "x-y", "member": "/{name}"}, "plain relative"),
        ({"kind": "pypi", "requirement": "x>=1", "member": "{name}"}, "name==version"),
        ({"kind": "npm", "package": "x", "member": "{name}"}, "name@version"),
        ({"kind": "npm", "package": "--x@1", "member": "{name}"}, "name@version"),
        ({"kind": "npm", "package": "x@1", "members": {"a.bin": "a"}}, "members names"),
    ],
)
def test_refuses_what_is_not_allowed(table, message):
    with pytest.raises(ValueError, match=message):
        source_from_table(table, FILES)


def test_a_source_archive_needs_its_digest_and_excludes_a_wheel():
    table = {"kind": "pypi", "requirement": "x==1", "member": "x-1/{name}"}
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        source_from_table({**table, "sdist_sha256": "abc"}, FILES)
    both = {**table, "sdist_sha256": "a" * 64, "python_version": "3.9"}
    with pytest.raises(ValueError, match="wheel"):
        source_from_table(both, FILES)
