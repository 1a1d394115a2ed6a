from cocodesign.cli.workflow import _planned_steps

OUTPUT = """
[Tue Nov 24 03:42:19 2026]
rule run_notebook:
    input: notebooks/10_a.ipynb
    output: runs/10_a-smoke/record.json
    reason: Updated input files: notebooks/10_a.ipynb
    wildcards: notebook=10_a
rule draw_figures:
    reason: Missing output files: runs/stamps/figures-smoke.json
rule everything:
    reason: Input files updated by another job
"""


def test_a_dry_run_s_steps_are_named_with_their_reasons() -> None:
    assert _planned_steps(OUTPUT) == [
        ("run_notebook 10_a", "Updated input files: notebooks/10_a.ipynb"),
        ("draw_figures", "Missing output files: runs/stamps/figures-smoke.json"),
    ]
