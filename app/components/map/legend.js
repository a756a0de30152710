// The legend: classes that are switched on and off, or a scale of which a range is chosen.

class Legend {
  constructor(element, changed) {
    this.element = element;
    this.changed = changed; // called when the user filters
    this.names = new Set(); // classes that are switched off
    this.range = null; // lowest and highest code that are shown
    this.palette = [];
  }

  update(palette, scheme, scale, visible) {
    if (scheme !== this.scheme) [this.names, this.range] = [new Set(), null];
    [this.palette, this.scheme, this.scale, this.visible] = [palette, scheme, scale, visible];
    this.draw();
  }

  // Take over what was filtered on another map of the same colours.
  follow({ scheme, names, range }) {
    if (scheme !== this.scheme) return false;
    [this.names, this.range] = [new Set(names), range];
    this.draw();
    return true;
  }

  // Say which codes are shown.
  shown() {
    const result = new Uint8Array(256).fill(1);
    this.palette.forEach((entry, code) => {
      const outside = this.range && code && (code < this.range[0] || code > this.range[1]);
      // what is unknown lies in no range
      const lost = this.range && this.scale && !code;
      if (this.names.has(entry.name) || outside || lost) result[code] = 0;
    });
    return result;
  }

  draw() {
    const parts = this.visible && this.palette.length > 1 ? [this.title()] : [];
    if (parts.length && this.scale) parts.push(this.bar());
    if (parts.length) parts.push(...this.lines());
    this.element.replaceChildren(...parts);
  }

  title() {
    const line = document.createElement("button");
    line.type = "button";
    line.className = "scheme";
    line.textContent = this.scheme;
    line.title = "Show all";
    line.onclick = () => {
      [this.names, this.range] = [new Set(), null];
      this.after();
    };
    return line;
  }

  lines() {
    // of a scale the steps stand beside the bar
    const rows = this.scale ? this.palette.slice(0, 1) : this.palette;
    return rows.filter(({ name }) => name !== undefined && name !== null).map((entry) => {
      const line = document.createElement("button");
      line.type = "button";
      line.className = this.names.has(entry.name) ? "off" : "";
      line.setAttribute("aria-pressed", String(!this.names.has(entry.name)));
      line.title = "Click to hide or show; with Shift to show this one alone";
      const dot = document.createElement("i");
      dot.style.background = entry.colour;
      const name = document.createElement("span");
      name.textContent = entry.name;
      const count = document.createElement("small");
      count.textContent = entry.count === undefined ? "" : entry.count.toLocaleString("en");
      line.append(dot, name, count);
      line.onclick = (event) => this.toggle(entry.name, event.shiftKey);
      return line;
    });
  }

  toggle(name, alone) {
    const others = this.palette.map((entry) => entry.name).filter((other) => other && other !== name);
    if (alone) {
      const is_alone = !this.names.has(name) && others.every((other) => this.names.has(other));
      this.names = new Set(is_alone ? [] : others);
    } else if (!this.names.delete(name)) {
      this.names.add(name);
    }
    this.after();
  }

  bar() {
    const levels = this.palette.slice(1);
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.title = "Drag over a range to show it alone; click to show all";
    const strip = document.createElement("i");
    strip.style.background = `linear-gradient(to top, ${levels.map((e) => e.colour).join()})`;
    bar.append(strip);
    const height = (code) => `${(100 * code) / levels.length}%`;
    if (this.range) {
      const [low, high] = this.range;
      for (const [from, to] of [[0, low - 1], [high, levels.length]]) {
        const shade = document.createElement("b");
        [shade.style.bottom, shade.style.height] = [height(from), height(to - from)];
        bar.append(shade);
      }
    }
    levels.forEach((entry, k) => {
      if (entry.name === null || entry.name === undefined) return;
      const text = document.createElement("span");
      text.textContent = entry.name;
      text.style.bottom = `${(100 * k) / (levels.length - 1)}%`;
      bar.append(text);
    });
    bar.onpointerdown = (event) => this.drag(event, bar, levels.length);
    return bar;
  }

  drag(event, bar, count) {
    const code = (y) => {
      const box = bar.getBoundingClientRect();
      return Math.min(count, Math.max(1, Math.ceil((count * (box.bottom - y)) / box.height)));
    };
    const from = code(event.clientY);
    let to = from;
    const move = (next) => {
      to = code(next.clientY);
      this.range = to === from ? null : [Math.min(from, to), Math.max(from, to)];
      this.changed(false);
    };
    const end = () => {
      removeEventListener("pointermove", move);
      if (to === from) this.range = null;
      this.after();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  }

  after() {
    this.draw();
    this.changed(true);
  }
}
