// What the controls of a live explorer lack in the browser: names that are read aloud, and keys that stay with them.
//
// ipywidgets gives a slider's handle no accessible name, reads the position in a list aloud in place of the value, lets a
// learner type into read-outs that nothing listens to, and cuts off a read-out of more than ten letters. JupyterLab, for
// its part, takes plain keys for commands while a slider or a menu has the focus: "x" cuts the whole cell, an arrow in a
// menu goes to the next cell.
//
// With `film.js` above it, this file is the body of an event handler: `this` is the picture whose loading runs it. Where a
// front end does not run it, the explorer works as ipywidgets made it.

const image = this;

// Write only what differs: every change of an attribute may call `repair` again.
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
        set(value, 'contenteditable', 'false');
        value.style.minWidth = '7em';
    }
    const sentence = box.querySelector('.workbook-sentence .widget-html-content');
    set(sentence, 'aria-live', 'polite');
}

// The picture loads before it is part of the page: look for the box around it, for ten seconds at most.
function start(patience) {
    const box = image.closest('.workbook-explorer'), guess = JSON.parse(image.dataset.guess);
    if (!box) return patience && setTimeout(start, 100, patience - 1);
    box.addEventListener('keydown', keepKeys);
    new MutationObserver(() => repair(box)).observe(box, {
        subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['aria-valuetext'],
    });
    repair(box);
    if (guess) box.prepend(gate(guess, box.firstElementChild));
}

start(100);
