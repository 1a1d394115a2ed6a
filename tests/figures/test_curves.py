from cocodesign.figures.curves import draw_curves

CURVES = {
    "batch_size": [8, 8, 8, 8, 64],
    "optimizer": ["SGD", "SGD", "K-FAC", "SGD", "SGD"],
    "seed": [0, 0, 0, 1, 0],
    "step": [1, 2, 1, 1, 1],
    "test_accuracy": [0.1, 0.2, 0.3, 0.4, 0.5],
}


def test_every_training_is_a_line_in_the_panel_of_its_batch_size() -> None:
    figure = draw_curves(
        CURVES, against="step", axis_title="steps", target_accuracy=0.45
    )
    lines = [
        (each.name, each.xaxis, tuple(each.x), tuple(each.y)) for each in figure.data
    ]
    assert sorted(lines) == [
        ("K-FAC", "x", (1,), (0.3,)),
        ("SGD", "x", (1,), (0.4,)),
        ("SGD", "x", (1, 2), (0.1, 0.2)),
        ("SGD", "x2", (1,), (0.5,)),
    ]
    assert sum(bool(each.showlegend) for each in figure.data) == 2  # once a method
    assert [shape.y0 for shape in figure.layout.shapes] == [0.45, 0.45]
