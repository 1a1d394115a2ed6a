"""The command ``cocodesign``.

Each command's module imports only typer at its top, so that ``--help`` is instant;
what a command needs is imported when it runs.
"""

import sys

import typer

from cocodesign.cli import data, events, skeleton
from cocodesign.cli.compress import compress, decompress
from cocodesign.cli.crate import crate
from cocodesign.cli.doctor import doctor
from cocodesign.cli.figures import figures
from cocodesign.cli.gallery import gallery
from cocodesign.cli.plan import plan
from cocodesign.cli.reproduce import reproduce
from cocodesign.cli.run import run
from cocodesign.cli.runs import runs
from cocodesign.cli.sweep import sweep
from cocodesign.cli.verdict import verdict
from cocodesign.cli.watch import watch
from cocodesign.errors import CocodesignError

app = typer.Typer(
    help="Deep learning made fast and small by designing four layers together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    reproduce,
    run,
    sweep,
    runs,
    figures,
    verdict,
    crate,
    gallery,
    plan,
    compress,
    decompress,
    watch,
    doctor,
):
    app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(events.app, name="events")
app.add_typer(skeleton.app, name="skeleton")


def main() -> None:
    """Run the command line; a foreseen error is one message and status 1."""
    try:
        app()
    except CocodesignError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
