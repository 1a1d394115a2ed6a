import pytest

from cocodesign.cli.doctor import examine


def test_says_what_is_there_and_how_to_add_what_is_not(call, monkeypatch, tmp_path):
    monkeypatch.setenv("COCODESIGN_DATA", str(tmp_path))
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "chrome"))
    result = call(["doctor"])
    assert result.exit_code == 0, result.output
    for subject in (
        "Python",
        "PyTorch",
        "CUDA",
        "CuPy",
        "Chrome",
        "fashion_mnist",
        "Slurm",
    ):
        assert subject in result.output
    by_subject = {found.subject: found for found in examine()}
    assert by_subject["Chrome"].remedy == "apt-get install chromium"
    data = by_subject["data: fashion_mnist"]
    assert data.remedy == "cocodesign data fetch fashion_mnist"


def test_everything_absent_names_a_remedy() -> None:
    for found in examine():
        assert found.remedy or found.state == "ok", found.subject


@pytest.mark.parametrize("command", ["pip install -e '.[gpu]'"])
def test_a_remedy_is_printed_as_it_must_be_typed(call, command: str) -> None:
    found = next(each for each in examine() if each.subject == "CuPy")
    if found.state == "ok":
        pytest.skip("CuPy is installed here")
    text = call(["doctor"]).output.replace("\n", " ")
    assert found.remedy == command
    assert "[gpu]" in text
