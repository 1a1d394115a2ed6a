"""The notebooks' widgets, one module per notebook.

A notebook imports its panel as ``from cocodesign.panels.home import …``; a panel
draws with plotly, trains in a thread of its own and never blocks the kernel.
"""
