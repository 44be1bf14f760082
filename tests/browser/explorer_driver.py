"""An explorer worked by keyboard, film or live: every control is moved, and the sentence and the picture have to follow."""

from __future__ import annotations

from playwright.sync_api import Locator, TimeoutError

FOLLOW_LIMIT = 20_000  # milliseconds; a drawing takes a tenth of a second, but the machine may be busy
ANY = ".workbook-film[data-film], .workbook-explorer:has(.workbook-sentence)"

# The text that belongs to a picture ends with the sentence. In a film the picture is a canvas.
LOOK = """box => {
    const canvas = box.querySelector('canvas'), picture = canvas ?? box.querySelector('img[src^="data:image/png"]');
    const sentence = box.querySelector('.workbook-sentence, .sentence').innerText.trim();
    const source = canvas ? canvas.toDataURL() : picture.src;
    const settled = (canvas ? canvas.ariaLabel ?? '' : picture.alt).endsWith(sentence);
    return {sentence, source, whole: box.innerText, settled};
}"""
REMEMBER = f"box => {{ window.lookAt = {LOOK}; window.before = window.lookAt(box); }}"
BACK = """box => {
    const now = window.lookAt(box);
    return now.settled && now.sentence === window.first.sentence && now.source === window.first.source;
}"""
# Pressed twice before the film can take a step, however busy the machine: what stands there in between, and at the end.
TWICE = """(button, time) => {
    button.click();
    const between = [button.textContent, time.value === time.max];
    button.click();
    return [between, time.getAttribute('aria-valuenow') ?? time.value];
}"""
CUT_OFF = """box => [...box.querySelectorAll('.widget-readout, .widget-label, label > span, output')]
    .filter(text => text.scrollWidth > text.clientWidth + 1).map(text => text.textContent)"""
FOLLOWED = """([box, parts]) => {
    const now = window.lookAt(box);
    return now.settled && parts.some(part => now[part] !== window.before[part]);
}"""
# JupyterLab lays out what has just been scrolled into view a moment later; until then the sentence is empty.
LAID_OUT = f"box => {{ const now = ({LOOK})(box); return now.sentence !== '' && now.settled; }}"
AT_END = "input => input.value === input.max"


class DrivenExplorer:
    """An explorer on the page; `problems` takes what did not follow."""

    def __init__(self, box: Locator) -> None:
        box.scroll_into_view_if_needed()
        self.box, self.page = box, box.page
        self.name = box.get_attribute("aria-label") or "an explorer without a name"
        self.problems: list[str] = []

    def work_all(self) -> list[str]:
        """Answer the question, if there is one, move every control by keyboard and return what did not follow."""
        self.guess()
        self.page.wait_for_function(LAID_OUT, arg=self.box.element_handle(), timeout=FOLLOW_LIMIT)
        self.box.evaluate(REMEMBER)
        self.page.evaluate("() => { window.first = window.before; }")
        for handle in self.box.locator("[role=slider], input[type=range]").all():
            start, label = self.value(handle), handle.get_attribute("aria-label") or self.label(handle)
            self.work(handle, label, ("Home", "ArrowRight", "End"))
            self.restore(handle, label, start)
        for select in self.box.locator("select").all():
            self.work(select, self.label(select), ("ArrowDown", "ArrowUp"))
        for box in self.box.locator("input[type=checkbox]").all():
            self.work(box, self.label(box), ("Space", "Space"), parts=("whole", "source"))
        for button in self.box.locator("button").all():
            self.play(button)
        return self.problems

    def guess(self, how: str = "That is my guess") -> None:
        """Answer the question that hides a picture, by keyboard, with the second of its answers."""
        form = self.box.locator("form")
        if not form.count():
            return
        if self.box.locator("canvas, img").first.is_visible():
            self.problems.append(f"{self.name}: the picture can be seen before the guess")
        question, control = form.locator("p").inner_text(), form.locator("input, select")
        control.focus()
        self.page.keyboard.press("Home")
        self.page.keyboard.press("ArrowRight" if control.evaluate("e => e.type === 'range'") else "ArrowDown")
        said = control.evaluate("e => e.selectedOptions?.[0].text ?? e.getAttribute('aria-valuetext')")
        form.get_by_text(how).focus()
        self.page.keyboard.press("Enter")
        result = self.box.locator("p[role=status]").first
        wanted = f"{question} {f'You guessed {said}. ' if how.startswith('That') else ''}Measured: "
        if not result.inner_text().startswith(wanted) or not self.box.locator("canvas, .workbook-sentence").is_visible():
            self.problems.append(f"{self.name}: after the guess there is {result.inner_text()!r}")
        if not result.evaluate("e => e === document.activeElement"):
            self.problems.append(f"{self.name}: the keyboard's place is lost after the guess")

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

    def play(self, button: Locator) -> None:
        """Play to the end, then once more from the start, and pause on the way."""
        time = button.locator("xpath=preceding-sibling::label[1]").locator("input")
        button.focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_function(AT_END, arg=time.element_handle(), timeout=FOLLOW_LIMIT)
        self.page.wait_for_function("b => b.textContent === 'Play'", arg=button.element_handle(), timeout=FOLLOW_LIMIT)
        began, stopped = button.evaluate(TWICE, time.element_handle())
        if began != ["Pause", False]:
            self.problems.append(f"{self.name}: Play does not begin anew, it shows {began}")
        self.page.wait_for_timeout(500)
        if button.inner_text() != "Play" or self.value(time) != stopped:
            self.problems.append(f"{self.name}: Pause does not pause")

    @staticmethod
    def value(control: Locator) -> str:
        """What a control stands at; nothing for a button or a checkbox."""
        has_value = "['select-one', 'range'].includes(e.type)"
        return control.evaluate(f"e => e.getAttribute('aria-valuenow') ?? ({has_value} ? e.value : '')")

    @staticmethod
    def label(control: Locator) -> str:
        """The accessible name of a native control."""
        return control.evaluate("e => (e.labels?.[0]?.querySelector('span') ?? e.labels?.[0])?.innerText ?? e.innerText")
