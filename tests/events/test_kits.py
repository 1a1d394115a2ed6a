"""Event kits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocodesign.errors import DataFormatError
from cocodesign.events import EventKit
from cocodesign.events.kits import EVIDENCE_KINDS, read_kits

text = st.text(st.characters(codec="utf-8"), max_size=30)


@given(text, text, st.dictionaries(st.sampled_from(EVIDENCE_KINDS), text))
def test_a_written_kit_reads_back_as_it_was(
    tmp_path_factory, name, definition, evidence
):
    path = tmp_path_factory.mktemp("kits") / "kit.toml"
    kit = EventKit("E-1", f"x{name}", definition, evidence=evidence)
    kit.write(path)
    assert EventKit.read(path) == kit


def test_phrases_are_name_definition_and_each_visual_item_once():
    kit = EventKit(
        "E021",
        "Bike trick",
        "People ride bicycles.",
        "Walking a bike is none.",
        {
            "scene": "street or park",
            "objects": "helmet, ramp; ramp",
            "audio": "cheering",
        },
    )
    assert kit.phrases == (
        "Bike trick",
        "People ride bicycles.",
        "street",
        "park",
        "helmet",
        "ramp",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('id = "E1"', "name"),
        ('id = "E 1"\nname = "x"', "letters, digits"),
        ('id = "E1"\nname = " "', "has no name"),
        ('id = "E1"\nname = "x"\ncolour = "red"', "unknown keys colour"),
        ('id = "E1"\nname = "x"\n[evidence]\nsmell = "y"', "got smell"),
        ("id =", "no event kit"),
    ],
)
def test_refuses_a_file_that_is_no_kit(content, message, tmp_path):
    path = tmp_path / "kit.toml"
    path.write_text(content)
    with pytest.raises(DataFormatError, match=message):
        EventKit.read(path)


def test_reads_a_folder_and_refuses_an_empty_one_and_twins(tmp_path):
    with pytest.raises(DataFormatError, match="holds no event kits"):
        read_kits(tmp_path)
    for name in ("b", "a"):
        EventKit(name, name).write(tmp_path / f"{name}.toml")
    assert [kit.id for kit in read_kits(tmp_path)] == ["a", "b"]
    EventKit("a", "again").write(tmp_path / "c.toml")
    with pytest.raises(DataFormatError, match="same id"):
        read_kits(tmp_path)
