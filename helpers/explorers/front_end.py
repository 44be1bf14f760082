"""What the controls of an explorer lack in the browser: names that are read aloud, and keys that stay with them.

ipywidgets gives a slider's handle no accessible name, reads the position in a list aloud in place of the value, lets a
learner type into read-outs that nothing listens to, and cuts off a read-out of more than ten letters. JupyterLab, for
its part, takes plain keys for commands while a slider or a menu has the focus: "x" cuts the whole cell, an arrow in a
menu goes to the next cell. A few lines of JavaScript put that right. They ride on a picture without any content, because
that needs no further package and leaves no output in the notebook; where a front end does not run them, the explorer
works as ipywidgets made it.
"""

import html

import ipywidgets as widgets

NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

SCRIPT = """
const image = this;
function set(element, name, value) {
    if (element && element.getAttribute(name) !== value) element.setAttribute(name, value);
}
function repair(box) {
    set(box, 'role', 'group');
    set(box, 'aria-label', image.dataset.name);
    for (const control of box.querySelectorAll('.widget-slider')) {
        const handle = control.querySelector('[role=slider]');
        const label = control.querySelector('.widget-label');
        const value = control.querySelector('.widget-readout');
        if (!handle || !label || !value) continue;
        set(handle, 'aria-label', label.textContent);
        set(handle, 'aria-valuetext', value.textContent);
        value.style.minWidth = '7em';
        if (control.classList.contains('workbook-choice')) {
            set(value, 'contenteditable', 'false');
        } else {
            set(value, 'role', 'textbox');
            set(value, 'aria-label', label.textContent + ', type a value');
        }
    }
    const sentence = box.querySelector('.workbook-sentence .widget-html-content');
    set(sentence, 'aria-live', 'polite');
}
function keepKeys(event) {
    const command = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === 'Enter');
    if (!command && event.key !== 'Escape') event.stopPropagation();
}
function start(patience) {
    const box = image.closest('.workbook-explorer');
    if (!box) return patience && setTimeout(start, 100, patience - 1);
    box.addEventListener('keydown', keepKeys);
    new MutationObserver(() => repair(box)).observe(box, {
        subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['aria-valuetext'],
    });
    repair(box);
}
start(100);
"""


def build_repairs(name: str) -> widgets.HTML:
    """Return an invisible widget that names the controls of the `.workbook-explorer` that it is put in.

    `name` is the accessible name of the whole group.
    """
    script = html.escape(" ".join(line.strip() for line in SCRIPT.splitlines()))
    image = f'<img alt="" src="{NOTHING}" data-name="{html.escape(name)}" onload="{script}">'
    return widgets.HTML(image, layout=widgets.Layout(display="none"))
