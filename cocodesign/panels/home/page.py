"""The home page: its parts, and what they are told when a run has ended."""

from cocodesign.claims import Verdict, judge, load_claims
from cocodesign.panels.home.figures import FiguresPanel
from cocodesign.panels.home.notebooks import NotebooksPanel
from cocodesign.panels.home.records import RecordsPanel
from cocodesign.panels.home.serving import folder_in_lab
from cocodesign.panels.home.shelf import RecordShelf
from cocodesign.panels.home.verdicts import VerdictsPanel
from cocodesign.project import Project

PAGE = "00_overview"


class Home:
    """The widgets of the home page, each for a cell of its own.

    Args:
        project: The clone.

    Attributes:
        verdicts: The claims.
        notebooks: The notebooks, and buttons to run them.
        figures: The figures of the paper.
        records: Records side by side.
        judged: The verdicts that are shown.
    """

    def __init__(self, project: Project) -> None:
        self._shelf = RecordShelf((project.committed_records, project.runs))
        self.verdicts = VerdictsPanel()
        self.figures = FiguresPanel(project)
        self.records = RecordsPanel()
        self.reload()
        self.notebooks = NotebooksPanel(
            project,
            self._shelf,
            self.reload,
            page=PAGE,
            place=folder_in_lab(project.notebooks),
        )
        self.notebooks.watch()

    def reload(self) -> None:
        """Read the records that are there now, and show what follows from them."""
        contents = self._shelf.read()
        self.judged: list[Verdict] = judge(load_claims(), contents.records)
        self.verdicts.show(self.judged, contents.problems)
        self.figures.show(contents.records)
        self.records.show(contents.records)

    def close(self) -> None:
        """Stop looking at the runs, and stop those that were started here."""
        self.notebooks.close()
