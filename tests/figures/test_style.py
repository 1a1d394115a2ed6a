import plotly.graph_objects as go

from cocodesign.figures import colour_of, styled


def test_a_method_keeps_its_colour_and_others_take_the_palette() -> None:
    assert colour_of("K-FAC") == colour_of("K-FAC", index=5)
    assert colour_of("K-FAC") != colour_of("SGD")
    assert colour_of("other", 0) != colour_of("other", 1)
    assert colour_of("other", 0) == colour_of("another", 0)


def test_a_long_caption_is_wrapped_below_the_figure() -> None:
    figure = styled(go.Figure(), title="Title", caption="word " * 60)
    (caption,) = figure.layout.annotations
    assert caption.text.count("<br>") == 2
    assert caption.yshift < 0
    assert figure.layout.title.text == "Title"
