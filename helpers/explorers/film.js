// A film: an explorer whose every setting was drawn before. Native controls, a canvas, and a sentence about what it shows.
//
// A film has `backgrounds`, which settings share, and `layers`, [left, top, picture] of what differs; `states` has for each
// setting [background, layer], or null where drawing failed. Settings are counted like digits, the last control fastest.
window.workbookFilm = function (name, film) {
    for (const root of document.querySelectorAll(`.workbook-film[data-film="${name}"]:not([data-ready])`)) mount(root, film);
};

function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
}

function decode(picture) {
    const image = Object.assign(new Image(), {src: 'data:image/webp;base64,' + picture});
    return image.decode().then(() => image);
}

function mount(root, film) {
    const still = root.querySelector('img'), canvas = make('canvas', {role: 'img'}), backgrounds = [];
    const sentence = make('p', {className: 'sentence', role: 'status'}), bar = make('div', {className: 'controls'});
    const inputs = film.controls.map(control => addControl(bar, control, () => show()));
    const body = make('div', {}, bar, sentence, still, make('p', {textContent: film.note}));
    const sizes = film.controls.map(control => control.texts.length);
    const strides = sizes.map((_, place) => sizes.slice(place + 1).reduce((product, size) => product * size, 1));
    const layer = state => decoded.get(state[1]) ?? decode(film.layers[state[1]][2]);
    let newest = 0, decoded = new Map();

    // Sentence and picture change together; where several settings are on their way, the newest one wins.
    const show = () => paint().catch(error => { sentence.textContent = `This setting could not be shown. ${error}`; });
    async function paint() {
        const mine = ++newest;
        const number = inputs.reduce((sum, input, place) => sum + strides[place] * input.value, 0);
        const state = film.states[number], pictures = [];
        if (state) {
            backgrounds[state[0]] ??= decode(film.backgrounds[state[0]]);
            pictures.push([await backgrounds[state[0]], 0, 0], [await layer(state), ...film.layers[state[1]].slice(0, 2)]);
        }
        if (mine !== newest) return;
        if (state && still.isConnected) {
            Object.assign(canvas, {width: pictures[0][0].width, height: pictures[0][0].height});
            still.replaceWith(canvas);
        }
        for (const picture of pictures) canvas.getContext('2d').drawImage(...picture);
        sentence.textContent = film.sentences[number];
        sentence.setAttribute('role', state ? 'status' : 'alert');
        canvas.setAttribute('aria-label', film.name + '. ' + film.sentences[number]);
        root.dataset.shown = number;
        const near = strides.flatMap(stride => [film.states[number - stride], film.states[number + stride]]).filter(Boolean);
        decoded = new Map(near.map(state => [state[1], layer(state)]));  // what the next key may show
        decoded.forEach(picture => picture.catch(() => {}));  // who shows it says so
    }

    root.dataset.ready = '';
    root.addEventListener('keydown', keepKeys);
    root.replaceChildren(...(film.guess ? [gate(film.guess, body)] : []), body);
    show();
}

// Add a control to the bar and return it; `changed` is called whenever it takes another value.
function addControl(bar, control, changed) {
    const menu = control.kind === 'menu', output = make('output');
    const range = {type: 'range', min: 0, max: control.texts.length - 1, step: 1};
    const input = menu ? make('select', {}, ...control.texts.map((text, place) => new Option(text, place))) : make('input', range);
    input.value = control.start;
    const say = () => {
        output.textContent = control.texts[input.value];
        if (!menu) input.setAttribute('aria-valuetext', output.textContent);
    };
    input.addEventListener('input', () => { say(); changed(); });
    say();
    bar.append(make('label', {}, make('span', {textContent: control.label}), input, ...(menu ? [] : [output])));
    if (control.kind === 'time') bar.append(player(input));
    return input;
}

// A button that moves a control on, step by step, to its end; the sentence is read aloud only when it stops.
function player(input) {
    const button = make('button', {type: 'button', textContent: 'Play'});
    let timer = null;
    function play(plays) {
        clearInterval(timer);
        timer = plays ? setInterval(() => step(Number(input.value) + 1), 150) : null;
        button.textContent = plays ? 'Pause' : 'Play';
        input.closest('.workbook-film')?.querySelector('.sentence').setAttribute('aria-live', plays ? 'off' : 'polite');
    }
    function step(place) {
        if (!input.isConnected || place > input.max) return play(false);
        input.value = place;
        input.dispatchEvent(new Event('input'));
    }
    input.addEventListener('input', event => event.isTrusted && play(false));  // moved by hand
    button.addEventListener('click', () => {
        if (!timer && input.value === input.max) step(0);
        play(!timer);
    });
    return button;
}

// A question that hides `body` until it is answered, or passed over with "Show me".
function gate(guess, body) {
    const bar = make('div', {className: 'controls'}), input = addControl(bar, guess.control, () => {});
    const own = make('button', {textContent: 'That is my guess'}), pass = make('button', {type: 'button', textContent: 'Show me'});
    const form = make('form', {className: 'workbook-film'}, make('p', {textContent: guess.question}), bar, own, pass);
    function unlock(event) {
        event.preventDefault();
        const said = event.type === 'submit' ? `You guessed ${guess.control.texts[input.value]}. ` : '';
        const result = make('p', {role: 'status', tabIndex: -1}, `${guess.question} ${said}Measured: ${guess.answer}.`);
        form.replaceWith(result);
        body.hidden = false;
        result.focus();
    }
    form.addEventListener('submit', unlock);
    pass.addEventListener('click', unlock);
    body.hidden = true;
    return form;
}

// Keys that are typed into a control end there ("x" would cut the cell). Escape, Shift+Enter and the like go on.
function keepKeys(event) {
    const command = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === 'Enter');
    if (!command && event.key !== 'Escape') event.stopPropagation();
}
