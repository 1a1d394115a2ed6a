from pathlib import Path

import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from cocodesign.cli.compress import compress, decompress

app = typer.Typer()
app.command()(compress)
app.command()(decompress)


def run(*arguments: object, fails: bool = False) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert (result.exit_code != 0) == fails, result.output
    return result.output


def build_network() -> nn.Module:
    """What ``--model`` names."""
    return nn.Sequential(nn.Linear(20, 60), nn.ReLU(), nn.Linear(60, 4))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        network = build_network()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt"


@pytest.mark.slow
def test_reports_every_layer_and_writes_beside_the_weights(weights: Path) -> None:
    output = run("compress", weights, "--bits", 4)
    assert weights.with_suffix(".ccz").exists()
    assert "0.weight" in output
    assert "2.bias" in output


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [5, 8])
def test_reaches_the_ratio_that_was_asked_for(weights: Path, ratio: int) -> None:
    run("compress", weights, "--ratio", ratio)
    state = torch.load(weights, weights_only=True)
    original = sum(each.nbytes for each in state.values())
    compressed = weights.with_suffix(".ccz").stat().st_size
    assert ratio * 0.97 < original / compressed < ratio * 1.35


@pytest.mark.slow
def test_loses_no_more_accuracy_than_allowed(weights: Path, tmp_path: Path) -> None:
    network = build_network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    inputs = torch.randn(500, 20, generator=torch.Generator().manual_seed(1))
    examples = {"inputs": inputs, "labels": network(inputs).argmax(1)}
    save_file(examples, tmp_path / "examples.safetensors")
    out = tmp_path / "net.ccz"
    arguments = ("--model", f"{__name__}:build_network")
    given = ("--examples", tmp_path / "examples.safetensors")
    run("compress", weights, "-o", out, "--max-drop", 5, *arguments, *given)
    run("decompress", out)
    network.load_state_dict(load_file(out.with_suffix(".safetensors")))
    accuracy = (network(inputs).argmax(1) == examples["labels"]).float().mean()
    assert 0.95 <= accuracy < 1


def test_prunes_to_a_density(weights: Path) -> None:
    run("compress", weights, "--bits", 6, "--density", 0.1)
    run("decompress", weights.with_suffix(".ccz"))
    state = load_file(weights.with_suffix(".safetensors"))
    kept = torch.count_nonzero(state["0.weight"]) + torch.count_nonzero(
        state["2.weight"]
    )
    assert kept <= 0.1 * (20 * 60 + 60 * 4) + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_exports_a_network_that_another_runtime_runs(
    weights: Path, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run("compress", weights, "--bits", 8)
    compressed, target = weights.with_suffix(".ccz"), tmp_path / "net.onnx"
    model = ("--model", f"{__name__}:build_network")
    run("decompress", compressed, "-o", target, *model, "--input-shape", "1,20")
    run("decompress", compressed, "-o", tmp_path / "again.pt")
    network = build_network()
    network.load_state_dict(torch.load(tmp_path / "again.pt", weights_only=True))
    inputs = torch.randn(1, 20, generator=torch.Generator().manual_seed(2))
    session = onnxruntime.InferenceSession(target)
    name = session.get_inputs()[0].name
    (scores,) = session.run(None, {name: inputs.numpy()})
    torch.testing.assert_close(torch.from_numpy(scores), network(inputs).detach())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--bits", 4, "--ratio", 9), "exactly one"),
        ((), "exactly one"),
        (("--ratio", 0.5), "above 1"),
        (("--ratio", 1e6), "cannot reach"),
        (("--bits", 4, "--density", 0), "density"),
        (("--bits", 4, "--profile", "best"), "fast or max"),
        (("--max-drop", 1), "--model and"),
    ],
)
def test_says_what_is_wrong_with_the_arguments(
    weights: Path, arguments: tuple, complaint: str
) -> None:
    output = run("compress", weights, *arguments, fails=True)
    assert complaint in " ".join(output.replace("│", "").split())


def test_refuses_a_file_that_is_no_state_dictionary(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"nonsense")
    output = run("compress", tmp_path / "net.pt", "--bits", 4, fails=True)
    assert "state_dict" in output
