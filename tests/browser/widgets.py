"""Every widget of a notebook, moved as a user would with the keyboard or a click."""

from collections.abc import Iterator

from playwright.sync_api import Locator, Page

_SETTLE_MS = 150
_LONGEST_RUN_MS = 60_000
_NOTHING = " \n\u200b"  # ipywidgets writes a space without width for no label


def move_all(page: Page, panels: Locator) -> list[str]:
    """Move every visible widget of some panels once, there and on.

    Buttons come last: they may start something that greys the others out.

    Args:
        page: The tab.
        panels: The panels.

    Returns:
        What was moved, by kind and label.
    """
    moved = []
    for panel in panels.all():
        for name in (*_sliders(page, panel), *_lists(panel), *_boxes(panel)):
            moved.append(name)
            page.wait_for_timeout(_SETTLE_MS)
        moved += _buttons(page, panel)
    return moved


def _sliders(page: Page, panel: Locator) -> Iterator[str]:
    for slider in panel.locator(".widget-slider .noUi-handle:visible").all():
        if slider.get_attribute("aria-disabled") == "true":
            continue
        place = slider.locator("xpath=..")  # its value is rounded, its place is not
        former = place.get_attribute("style")
        slider.focus()
        page.keyboard.press("ArrowRight")
        if place.get_attribute("style") == former:  # it was at its end
            page.keyboard.press("ArrowLeft")
        assert place.get_attribute("style") != former
        yield f"slider {_label(slider)}"


def _lists(panel: Locator) -> Iterator[str]:
    for choice in panel.locator("select:enabled:visible").all():
        options = choice.locator("option").all_inner_texts()
        choice.select_option(index=len(options) - 1)
        yield f"list {_label(choice)}"


def _boxes(panel: Locator) -> Iterator[str]:
    for box in panel.locator("input[type=checkbox]:enabled:visible").all():
        box.click()
        yield f"box {_label(box)}"


def _buttons(page: Page, panel: Locator) -> Iterator[str]:
    for button in panel.locator("button.jupyter-button:visible").all():
        if not button.is_enabled():
            continue
        title = button.get_attribute("title")
        text = button.inner_text().strip()
        is_player = button.locator("xpath=parent::*[contains(@class, 'widget-play')]")
        if not is_player.count():  # its symbols are everybody's
            assert title or text, button.evaluate("each => each.outerHTML")
        button.click()
        page.wait_for_timeout(_SETTLE_MS)
        if button.inner_text().strip() == "Stop":  # it has started something
            page.wait_for_timeout(10 * _SETTLE_MS)
            button.click()
            button.filter(has_text=text).wait_for(timeout=_LONGEST_RUN_MS)
        yield f"button {text or title or 'of a player'}"


def _label(control: Locator) -> str:
    """Return a control's label, which every control must have."""
    widget = control.locator(
        "xpath=ancestor::*[contains(@class, 'widget-inline-hbox')][1]"
    )
    texts = [text.strip(_NOTHING) for text in widget.locator("label").all_inner_texts()]
    label = " ".join(filter(None, texts))
    assert label, widget.evaluate("each => each.outerHTML")
    return label
