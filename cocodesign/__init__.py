"""Deep learning made fast and small by designing four layers together.

The package, from the ground up (imports go down only):

* ``errors``: the exception tree;
* ``project``, ``provenance``, ``seeding``: where the clone is, what ran, which
  random stream;
* ``results``, ``claims``, ``metrics``: the record of a run, what the programme
  claimed, how a number is measured;
* ``data``, ``models``: files to tensors, networks shared by the pillars;
* ``kfac``: second-order optimization, ``KFAC`` is a ``torch.optim.Optimizer``;
* ``training``, ``runner``, ``figures``: the drivers;
* ``panels``: the notebooks' widgets;
* ``cli``: the command ``cocodesign``.

Nothing is imported here: ``import cocodesign`` costs nothing.
"""

__version__ = "0.1.0"
