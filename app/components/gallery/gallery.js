// Thumbnails of objects, to look through and to label with single keys.
//
// In (data): { place: name of this gallery, about: URL ending in "/", items: [{row, name, text, label,
// colour}], keys: [{key, name, colour}], empty: text, thumb: pixels, height: pixels, total: of the
// selection, tools: show the bar }.
// Out (trigger): acts { client, events: [{n, name, ...}] }: label {rows, label, all: also what is not
// among the items}, open {row}, mark {row, how: "like" | "unlike"}, undo, redo. A trigger that comes
// while the page runs takes the place of the one before, so each carries all that is not yet
// confirmed by `seen` {client, n}.

const PATIENCE = 3000; // ms in which the page puts a new element in the place of the one it took away
const states = new WeakMap();
const latest = new Map(); // by place: the page may put a new element in the place of the old one

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".gallery");
  let state = states.get(root);
  if (!state) {
    state = new Gallery(root, latest.get(data.place));
    states.set(root, state);
    latest.set(data.place, state);
  }
  state.trigger = component.setTriggerValue;
  state.update(data);
}

class Gallery {
  constructor(root, before) {
    this.root = root;
    this.grid = root.querySelector(".grid");
    this.keys = root.querySelector(".keys");
    this.empty = root.querySelector(".empty");
    this.chosen = new Set(); // rows
    this.everything = false; // chosen with Ctrl-a: what the server holds beyond the items as well
    this.cursor = 0;
    this.cards = [];
    this.client = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
    this.count = 0;
    this.pending = []; // events that the server has not confirmed
    this.waiting = []; // keys that were pressed while there was no element
    this.orphaned = (event) => this.keep(event);
    document.addEventListener("keydown", this.orphaned, true);
    root.addEventListener("keydown", (event) => this.key(event));
    this.grid.addEventListener("pointerdown", (event) => this.press(event));
    this.grid.addEventListener("click", (event) => this.release(event));
    this.grid.addEventListener("dblclick", () => this.open());
    root.addEventListener("focusin", () => {
      this.focused = true;
      this.catch_up();
    });
    // an element that is taken away loses the focus before it is gone: only then is it known who took it
    root.addEventListener("focusout", () =>
      setTimeout(() => (this.focused = !root.isConnected || root.matches(":focus-within"))),
    );
    if (before) this.take_over(before);
  }

  // Go on where the element before this one was: the next key labels what it would have labelled.
  take_over(before) {
    this.data = before.data;
    this.chosen = before.chosen;
    this.everything = before.everything;
    this.cursor = before.cursor;
    this.client = before.client;
    this.count = before.count;
    this.pending = before.pending;
    this.replaced = true;
    this.waiting = before.waiting;
    if (before.focused && !before.root.isConnected) this.root.focus({ preventScroll: true });
  }

  // The page took this element away under the hand. What is typed until there is another one is for
  // that, and not for whoever hears the keys that nobody wants: it would label another object.
  keep(event) {
    if (this.root.isConnected) {
      this.lost = undefined;
      return;
    }
    const elsewhere = ![document.body, null].includes(document.activeElement);
    this.lost ??= performance.now();
    if (!this.focused || elsewhere || performance.now() - this.lost > PATIENCE) return this.let_go();
    if (event.ctrlKey || event.metaKey || event.altKey || !this.knows(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.waiting.push(event); // one list with the element that takes over
  }

  catch_up() {
    if (this.data?.items.length !== this.cards.length) return; // not drawn yet
    const fresh = (event) => performance.now() - event.timeStamp < PATIENCE;
    this.waiting.splice(0).filter(fresh).forEach((event) => this.key(event));
  }

  knows({ key, code }) {
    const moves = /^(Arrow(Left|Right|Up|Down)|Enter|Escape|[jkx+ -])$/;
    return moves.test(key) || /^Digit[0-9]$/.test(code) || this.data.keys.some((entry) => entry.key === key);
  }

  let_go() {
    document.removeEventListener("keydown", this.orphaned, true);
  }

  send(name, value) {
    this.pending.push({ n: ++this.count, name, ...value });
    this.trigger("acts", { client: this.client, events: this.pending });
  }

  // Show labels at once, and those that are on their way after an update that does not know them.
  foresee() {
    const place = new Map(this.data.items.map((item, i) => [item.row, i]));
    for (const event of this.pending) {
      if (event.name !== "label") continue;
      const entry = this.data.keys.find(({ name }) => name === event.label);
      for (const i of event.rows.map((row) => place.get(row)).filter((i) => i !== undefined)) {
        const clear = event.label === "clear";
        this.data.items[i] = { ...this.data.items[i], label: clear ? "" : event.label, colour: entry.colour };
        this.fill(this.cards[i], this.data.items[i]);
      }
    }
  }

  update(data) {
    const before = this.data;
    const same =
      !this.replaced &&
      this.data &&
      this.data.items.length === data.items.length &&
      this.data.about === data.about &&
      data.items.every((item, i) => item.row === this.data.items[i].row);
    this.replaced = false;
    this.data = { ...data, items: [...data.items] };
    if (data.seen && data.seen.client === this.client) {
      this.pending = this.pending.filter((event) => event.n > data.seen.n);
    }
    this.root.style.setProperty("--thumb", `${data.thumb || 96}px`);
    this.root.style.setProperty("--gallery-height", `${data.height || 420}px`);
    this.empty.textContent = data.items.length ? "" : data.empty || "";
    if (!same) {
      const rows = new Set(data.items.map((item) => item.row));
      const under = before && before.items[this.cursor];
      this.chosen = new Set([...this.chosen].filter((row) => rows.has(row)));
      this.everything = false;
      const at = under ? data.items.findIndex((item) => item.row === under.row) : -1;
      this.cursor = at >= 0 ? at : Math.min(this.cursor, Math.max(0, data.items.length - 1));
      this.anchor = this.cursor;
      this.cards = data.items.map((item) => this.card(item, data.about));
      this.grid.replaceChildren(...this.cards);
    }
    data.items.forEach((item, i) => this.fill(this.cards[i], item));
    this.foresee();
    this.draw_keys();
    this.paint();
    this.catch_up();
  }

  card(item, about) {
    const card = document.createElement("div");
    card.className = "card";
    card.setAttribute("role", "option");
    const picture = document.createElement("img");
    picture.loading = "lazy";
    picture.decoding = "async";
    picture.alt = "";
    picture.src = `${about}${item.row}.jpg`;
    const footer = document.createElement("footer");
    const name = document.createElement("span");
    name.append(document.createElement("bdi")); // the end of a long name tells more than its beginning
    footer.append(name, document.createElement("b"));
    card.append(picture, footer);
    return card;
  }

  fill(card, item) {
    const footer = card.lastChild;
    footer.firstChild.firstChild.textContent = item.label || item.name;
    footer.lastChild.textContent = item.text || "";
    footer.style.borderBottomColor = item.label ? item.colour : "transparent";
    card.title = item.label ? `${item.name}: ${item.label}` : item.name;
  }

  draw_keys() {
    const buttons = this.data.keys.map((entry) => {
      const button = document.createElement("button");
      button.type = "button";
      const dot = document.createElement("i");
      dot.style.background = entry.colour;
      const name = document.createElement("span");
      name.textContent = entry.name;
      const key = document.createElement("kbd");
      key.textContent = entry.key;
      button.append(dot, name, key);
      button.onclick = () => this.label(entry.name);
      return button;
    });
    const said = document.createElement("output");
    this.said = said;
    const acts = [["undo", "Undo", "Ctrl-z"], ["redo", "Redo", "Ctrl-y"]].map(([name, text, keys]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = text;
      button.title = keys;
      button.onclick = () => this.send(name, {});
      return button;
    });
    this.keys.hidden = this.data.tools === false || !this.data.keys.length;
    this.keys.replaceChildren(...buttons, ...acts, said);
  }

  paint() {
    this.data.items.forEach((item, i) => {
      this.cards[i].setAttribute("aria-selected", String(this.chosen.has(item.row)));
      this.cards[i].classList.toggle("cursor", i === this.cursor);
    });
    const n = this.data.items.length;
    const total = Math.max(this.data.total || 0, n);
    const chosen = this.everything ? total : this.chosen.size;
    this.said.textContent = !n ? "" : chosen ? `${chosen} of ${total} chosen` : n < total ? `${n} of ${total}` : `${n}`;
  }

  // ---- the user ---------------------------------------------------------------------------------

  // A mouse chooses as it goes down: where cards are drawn anew before it comes up there is no click,
  // and the next key would label another object. A finger that goes down may be about to scroll.
  press(event) {
    const menu = event.ctrlKey && /Mac/.test(navigator.platform); // there it opens the menu
    if (event.pointerType !== "mouse" || event.button !== 0 || menu) return;
    this.pressed = true;
    // its own click, if there is one, comes before this; one that is not of a mouse may come later
    const ends = ["pointerup", "pointercancel"];
    const over = () => {
      ends.forEach((end) => window.removeEventListener(end, over));
      setTimeout(() => (this.pressed = false));
    };
    ends.forEach((end) => window.addEventListener(end, over));
    this.click(event);
  }

  release(event) {
    if (!this.pressed) this.click(event);
  }

  click(event) {
    const card = event.target.closest(".card");
    const at = this.cards.indexOf(card);
    if (at < 0) return;
    this.root.focus({ preventScroll: true });
    this.everything = false;
    if (event.shiftKey) {
      this.range(this.anchor, at);
    } else if (event.ctrlKey || event.metaKey) {
      this.flip(at);
    } else {
      this.chosen = new Set([this.data.items[at].row]);
      this.anchor = at;
      this.send("open", { row: this.data.items[at].row });
    }
    this.cursor = at;
    this.paint();
  }

  flip(at) {
    this.everything = false;
    const { row } = this.data.items[at];
    if (!this.chosen.delete(row)) this.chosen.add(row);
    this.anchor = at;
  }

  all() {
    this.range(0, this.data.items.length - 1);
    this.everything = true;
  }

  none() {
    this.chosen.clear();
    this.everything = false;
  }

  range(from, to) {
    this.everything = false;
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    this.chosen = new Set(this.data.items.slice(low, high + 1).map((item) => item.row));
  }

  label(name, everything = this.everything) {
    const { items } = this.data;
    if (!items.length) return;
    const few = this.chosen.size ? [...this.chosen] : [items[this.cursor].row];
    const rows = everything ? items.map((item) => item.row) : few;
    const single = rows.length === 1;
    this.send("label", { rows, label: name, all: everything });
    this.foresee();
    if (single) this.step(1, false); // on to the next, as one does when vetting
  }

  step(by, extend) {
    const last = this.data.items.length - 1;
    this.cursor = Math.min(Math.max(this.cursor + by, 0), Math.max(last, 0));
    if (extend) this.range(this.anchor, this.cursor);
    else {
      this.anchor = this.cursor;
      this.chosen.clear();
      this.everything = false;
    }
    this.cards[this.cursor]?.scrollIntoView({ block: "nearest" });
    this.paint();
  }

  open() {
    const item = this.data.items[this.cursor];
    if (item) this.send("open", { row: item.row });
  }

  columns() {
    const first = this.cards[0];
    if (!first) return 1;
    const same = this.cards.findIndex((card) => card.offsetTop !== first.offsetTop);
    return same < 0 ? this.cards.length : same;
  }

  key(event) {
    const control = event.ctrlKey || event.metaKey;
    const steps = {
      j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1,
      ArrowDown: this.columns(), ArrowUp: -this.columns(),
    };
    const entry = !control && this.data.keys.find(({ key }) => key === event.key);
    // with Shift a digit is another sign on most keyboards
    const digit = !control && event.shiftKey && /^Digit[0-9]$/.test(event.code) ? event.code[5] : "";
    const whole = digit && this.data.keys.find(({ key }) => key === digit);
    if (control && event.key.toLowerCase() === "z") this.send(event.shiftKey ? "redo" : "undo", {});
    else if (control && event.key === "y") this.send("redo", {});
    else if (control && event.key === "a") this.all();
    else if (control) return;
    else if (whole) this.label(whole.name, true);
    else if (entry) this.label(entry.name);
    else if (steps[event.key] !== undefined) this.step(steps[event.key], event.shiftKey);
    else if (event.key === " " || event.key === "Enter") this.open();
    else if (event.key === "+" || event.key === "-") this.mark(event.key === "+" ? "like" : "unlike");
    else if (event.key === "x") this.flip(this.cursor);
    else if (event.key === "Escape") this.none();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.paint();
  }

  mark(how) {
    const item = this.data.items[this.cursor];
    if (item) this.send("mark", { row: item.row, how });
  }
}
