import nbformat
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_output

from cocodesign.runner.outputs import CellOutputs, collapse


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


def add(outputs: CellOutputs, cell: nbformat.NotebookNode, *news: object) -> None:
    for new in news:
        cell.outputs.append(new)
        outputs.added(new)


def test_prints_become_one_text_between_displays():
    cell = new_code_cell()
    outputs = CellOutputs(cell)
    shown = new_output("display_data", data={"text/plain": "x"})
    add(outputs, cell, stream("a"), stream("b"), shown, stream("c"), stream("d"))
    outputs.flush()
    assert [o.get("text") for o in cell.outputs] == ["ab", None, "cd"]


def test_stdout_and_stderr_that_alternate_stay_two_outputs():
    cell = new_code_cell()
    outputs = CellOutputs(cell)
    for index in range(100):
        add(outputs, cell, stream(f"{index}\n"), stream("!", "stderr"))
    outputs.flush()
    assert [o.name for o in cell.outputs] == ["stdout", "stderr"]
    assert cell.outputs[0].text == "".join(f"{index}\n" for index in range(100))


def test_a_progress_bar_is_stored_as_its_last_state():
    cell = new_code_cell()
    outputs = CellOutputs(cell, max_bytes=1000)
    for percent in range(101):
        add(outputs, cell, stream(f"\r{percent}%|{'#' * percent}"))
        if percent % 7 == 0:
            outputs.flush()
    add(outputs, cell, stream("\ndone\n"))
    outputs.flush()
    assert cell.outputs[0].text == f"100%|{'#' * 100}\ndone\n"
    assert len(cell.outputs) == 1
    assert outputs.last_line == "done"


def test_what_passes_the_cap_is_dropped_with_a_notice_and_its_end():
    cell = new_code_cell()
    outputs = CellOutputs(cell, max_bytes=1000)
    for index in range(1_000):
        add(outputs, cell, stream(f"line {index}\n"))
    outputs.flush()
    first, notice = cell.outputs
    assert first.text.startswith("line 0\n")
    assert len(first.text) <= 1000
    assert "passed 1,000 bytes" in notice.text
    assert notice.text.endswith("line 999\n")


def test_an_error_is_kept_behind_the_cap_and_displays_are_not():
    cell = new_code_cell()
    outputs = CellOutputs(cell, max_bytes=1000)
    shown = new_output("display_data", data={"text/plain": "x" * 2000})
    failed = new_output("error", ename="E", evalue="v", traceback=["t" * 2000])
    add(outputs, cell, shown, failed)
    outputs.flush()
    assert [o.output_type for o in cell.outputs] == ["error", "stream"]


def test_a_cleared_cell_has_its_whole_room_again():
    cell = new_code_cell()
    outputs = CellOutputs(cell, max_bytes=10)
    add(outputs, cell, stream("x" * 20))
    outputs.flush()
    cell.outputs.clear()
    outputs.cleared()
    add(outputs, cell, stream("y" * 10))
    outputs.flush()
    assert [o.text for o in cell.outputs] == ["y" * 10]


@given(st.text(alphabet="ab\r\n"))
def test_collapsing_keeps_what_follows_the_last_return_of_each_line(text: str):
    expected = []
    for line in text.split("\n"):
        states = [state for state in line.split("\r") if state]
        last = states[-1] if states else ""
        expected.append(last + "\r" * line.endswith("\r"))
    assert collapse(text) == "\n".join(expected)


@given(st.lists(st.text(alphabet="ab\r\n"), max_size=6))
def test_collapsing_piece_by_piece_is_collapsing_the_whole(pieces: list[str]):
    text = ""
    for piece in pieces:
        text = collapse(text + piece)
    assert text == collapse("".join(pieces))
