"""An explorer worked by keyboard: every control is moved, and the sentence and the picture have to follow."""

from __future__ import annotations

from playwright.sync_api import Locator, TimeoutError

FOLLOW_LIMIT = 20_000  # milliseconds; a drawing takes a tenth of a second, but the machine may be busy

# The sentence comes first, the picture second; its alternative text ends with the sentence that belongs to it.
LOOK = """box => {
    const picture = box.querySelector('img[src^="data:image/png"]');
    const sentence = box.querySelector('.workbook-sentence').innerText.trim();
    return {sentence, source: picture.src, whole: box.innerText, settled: picture.alt.endsWith(sentence)};
}"""
REMEMBER = f"box => {{ window.lookAt = {LOOK}; window.before = window.lookAt(box); }}"
BACK = """box => {
    const now = window.lookAt(box);
    return now.settled && now.sentence === window.first.sentence && now.source === window.first.source;
}"""
CUT_OFF = """box => [...box.querySelectorAll('.widget-readout, .widget-label')]
    .filter(text => text.scrollWidth > text.clientWidth + 1).map(text => text.textContent)"""
FOLLOWED = """([box, parts]) => {
    const now = window.lookAt(box);
    return now.settled && parts.some(part => now[part] !== window.before[part]);
}"""


class DrivenExplorer:
    """An explorer on the page; `problems` takes what did not follow."""

    def __init__(self, box: Locator) -> None:
        box.scroll_into_view_if_needed()
        self.box, self.page = box, box.page
        self.name = box.get_attribute("aria-label") or "an explorer without a name"
        self.problems: list[str] = []

    def work_all(self) -> list[str]:
        """Move every control by keyboard and return what did not follow."""
        self.box.evaluate(REMEMBER)
        self.page.evaluate("() => { window.first = window.before; }")
        for handle in self.box.locator("[role=slider]").all():
            start, label = self.value(handle), handle.get_attribute("aria-label")
            self.work(handle, label, ("Home", "ArrowRight", "End"))
            self.restore(handle, label, start)
        for select in self.box.locator("select").all():
            self.work(select, self.label(select), ("ArrowDown", "ArrowUp"))
        for box in self.box.locator("input[type=checkbox]").all():
            self.work(box, self.label(box), ("Space", "Space"), parts=("whole", "source"))
        for button in self.box.locator("button").all():
            self.work(button, self.label(button), ("Enter",), parts=("whole", "source"))
        return self.problems

    def work(
        self,
        control: Locator,
        label: str | None,
        keys: tuple[str, ...],
        parts: tuple = ("sentence", "source"),
    ) -> None:
        """Press the keys on one control; each that changes its value has to change `parts` of what is shown."""
        for key in keys:
            before = self.value(control)
            self.box.evaluate(REMEMBER)
            control.focus()
            self.page.keyboard.press(key)
            if cut := self.box.evaluate(CUT_OFF):
                self.problems.append(f"{self.name}, {label}: no room for {', '.join(cut)}")
            if before and self.value(control) == before:
                continue  # it stood at this end already
            try:
                handle = self.box.element_handle()
                self.page.wait_for_function(FOLLOWED, arg=[handle, list(parts)], timeout=FOLLOW_LIMIT)
            except TimeoutError:
                self.problems.append(f"{self.name}, {label}: nothing followed {key} ({self.value(control)})")

    def restore(self, handle: Locator, label: str | None, start: str) -> None:
        """Take a slider back to where it was: the first sentence and the first picture have to come back as well."""
        handle.focus()
        self.page.keyboard.press("Home")
        while self.value(handle) != start:
            before = self.value(handle)
            self.page.keyboard.press("ArrowRight")
            assert self.value(handle) != before, f"{label} cannot be taken back to {start} by keyboard"
        try:
            self.page.wait_for_function(BACK, arg=self.box.element_handle(), timeout=FOLLOW_LIMIT)
        except TimeoutError:
            self.problems.append(f"{self.name}, {label}: back at {start}, another sentence or picture is shown")

    @staticmethod
    def value(control: Locator) -> str:
        """What a control stands at; nothing for a button or a checkbox."""
        return control.evaluate("e => e.getAttribute('aria-valuenow') ?? (e.type === 'select-one' ? e.value : '')")

    @staticmethod
    def label(control: Locator) -> str:
        """The accessible name of a native control."""
        return control.evaluate("e => e.labels?.[0]?.innerText ?? e.innerText")
