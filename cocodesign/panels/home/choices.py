"""Drop-down lists whose options change while somebody uses them."""

from collections.abc import Sequence

import ipywidgets as widgets


def offer(choice: widgets.Dropdown, options: Sequence[tuple[str, str]]) -> None:
    """Give a list other options; what is chosen stays chosen as long as it is there.

    Left alone, the widget would go back to the first option, or choose none if there
    were none before.

    Args:
        choice: The list.
        options: Labels and values, each value once.
    """
    if list(choice.options) == list(options):
        return
    chosen = choice.value
    values = [value for _, value in options]
    choice.options = list(options)
    if chosen in values:
        choice.value = chosen
    elif values:
        choice.value = values[0]
