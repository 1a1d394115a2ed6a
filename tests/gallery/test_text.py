from cocodesign.gallery.text import code_html, markdown_html, printed_html


def test_formulas_become_mathml_that_needs_no_script() -> None:
    text = markdown_html("the product $A \\otimes G$ of two")
    assert "<math" in text
    assert "&#x02297;" in text or "⊗" in text
    assert "$" not in text


def test_a_price_is_no_formula() -> None:
    assert "<math" not in markdown_html("it costs 5 $ or 6 $ a day")


def test_markdown_has_tables_and_escapes_html() -> None:
    assert "<td>1</td>" in markdown_html("|a|b|\n|---|---|\n|1|2|\n")
    assert "<script>" not in markdown_html("a <script>alert()</script>")


def test_code_keeps_its_text() -> None:
    text = code_html("a = 1 < 2  # why")
    assert "&lt;" in text
    assert "# why" in text


def test_what_was_printed_has_no_colours_and_a_bar_once() -> None:
    assert printed_html("\x1b[31mred\x1b[0m\n10 %\r20 %\n") == (
        '<pre class="printed">red\n20 %</pre>'
    )


def test_the_middle_of_a_long_text_is_left_out() -> None:
    text = printed_html("\n".join(str(number) for number in range(1_000)))
    assert "… 940 lines …" in text
    assert "\n29\n" in text
    assert "\n30\n" not in text
    assert text.endswith("999</pre>")
