"""Deep learning made fast and small by designing four layers together.

The package, from the ground up (imports go down only):

* ``errors``, ``files``: the exception tree; files that appear whole or not at all;
* ``project``, ``provenance``, ``seeding``, ``devices``: where the clone is, what ran,
  which random stream, on what;
* ``results``, ``claims``, ``metrics``: the record of a run, what the programme
  claimed, how a number is measured;
* ``data``, ``models``, ``collectives``: files to tensors, networks, ranks;
* the pillars: ``kfac``, second-order training; ``microbatch``, convolutions in little
  memory; ``compression``, networks as small files that run, and ``robustness``, which
  withstand attacks; ``events`` in videos; ``skeleton``, actions; ``video``, a camera
  watched;
* ``training``, ``runner``, ``figures``, ``clusters``: the drivers;
* ``studies`` and ``*_study``: comparisons that need many trainings; ``sweeps``,
  ``crates``, ``gallery``: many runs, packed runs, shown runs;
* ``panels``: the notebooks' widgets; ``codesign``: what the parts give together;
* ``cli``: the command ``cocodesign``.

Nothing is imported here: ``import cocodesign`` costs nothing.
"""

__version__ = "0.1.0"
