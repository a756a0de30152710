// The map of a survey: up to a million points on a canvas, with lasso, box, click and hover.
//
// In (data): { points, codes, mask: URLs of bytes; palette: [{name, colour, count}]; scheme: what the
// colours show; scale: whether they are numbers; legend: whether to show it; marks: [{rows, colour,
// strong}]; object: row looked at; fly: {row, nonce}; about: URL ending in "/"; busy, title: text;
// height: CSS }.
// Points are uint16 x then uint16 y, little-endian, y upwards, those at 0, 0 without a place; codes
// are uint8, one a point, numbers into the palette, 0 = none or unknown; the mask has one bit a point,
// the lowest first.
// Out (triggers): lasso {polygon: [[x, y], ...] in 0..65535, mode, hidden: [codes]}, click {row, mode},
// keys {key, row}. Maps on one page tell each other of filters, tools and what is under the pointer
// (event "sky-map" of the document).

const FULL = 65535;
const MARGIN = 14; // pixels painted beyond each edge, so that points are cut there and do not vanish
const MANY = 150_000; // points above which a moving map is drawn more simply
const CELLS = 256; // of the grid that the nearest point is looked up in, each side
const states = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".map");
  let state = states.get(root);
  if (!state) {
    state = new SkyMap(root);
    states.set(root, state);
  }
  state.send = component.setTriggerValue;
  state.update(data);
  return () => state.rest();
}

class SkyMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector(".points");
    this.over = root.querySelector(".over");
    this.tip = root.querySelector(".tip");
    this.legend = new Legend(root.querySelector(".legend"), (done) => this.filtered(done));
    this.note = root.querySelector(".note");
    this.view = null; // {x, y: centre in 0..65535, scale: screen pixels per unit}
    this.tool = "pan";
    this.echo = -1; // row under the pointer on another map
    this.urls = {};
    this.n = 0;
    this.drag = null;
    this.listen();
  }

  // ---- what comes in --------------------------------------------------------------------------

  async update(data) {
    this.data = data;
    this.note.textContent = data.busy || "";
    this.root.style.setProperty("--map-height", data.height || "640px");
    const wanted = ["points", "codes", "mask"].filter((k) => this.urls[k] !== data[k]);
    const loaded = await Promise.all(wanted.map((k) => this.load(k, data[k])));
    if (this.data !== data) return; // a newer one came meanwhile
    wanted.forEach((k, i) => {
      this[k] = loaded[i];
      this.urls[k] = data[k];
    });
    if (wanted.includes("points")) this.take_points();
    if (wanted.includes("codes")) this.order = this.codes && paint_order(this.codes);
    this.take_palette();
    if (data.fly && data.fly.nonce !== this.flown) {
      this.flown = data.fly.nonce;
      this.fly(data.fly.row);
    }
    this.redraw();
  }

  async load(kind, url) {
    if (!url) return null;
    const answer = await fetch(url);
    if (!answer.ok) {
      this.note.textContent = "The map's data are gone from the server: reload the page.";
      return null;
    }
    const bytes = await answer.arrayBuffer();
    return kind === "points" ? new Uint16Array(bytes) : new Uint8Array(bytes);
  }

  take_points() {
    this.n = this.points ? this.points.length >> 1 : 0;
    this.xs = this.points && this.points.subarray(0, this.n);
    this.ys = this.points && this.points.subarray(this.n);
    this.index = null;
    this.view = this.view || null;
    this.root.dataset.points = this.n;
  }

  take_palette() {
    const palette = this.data.palette || [];
    this.colours = new Uint8Array(256 * 3).fill(150);
    palette.forEach((entry, code) => {
      const value = parseInt(entry.colour.slice(1), 16);
      this.colours.set([value >> 16, (value >> 8) & 255, value & 255], 3 * code);
    });
    this.legend.update(palette, this.data.scheme, this.data.scale, this.data.legend);
    this.shown = this.legend.shown();
  }

  filtered(done) {
    this.shown = this.legend.shown();
    this.redraw(!done);
    const { scheme, names, range } = this.legend;
    if (done) this.tell({ filter: { scheme, names: [...names], range } });
  }

  // ---- other maps of the page -------------------------------------------------------------------

  tell(what) {
    document.dispatchEvent(new CustomEvent("sky-map", { detail: { from: this, ...what } }));
  }

  hear({ from, filter, tool, row }) {
    if (from === this) return;
    if (filter && this.legend.follow(filter)) {
      this.shown = this.legend.shown();
      this.redraw();
    }
    if (tool) this.use(tool, false);
    if (row !== undefined && row !== this.echo) {
      this.echo = row;
      if (this.view) this.draw_over();
    }
  }

  // ---- geometry -------------------------------------------------------------------------------

  size() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(this.root.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.root.clientHeight * ratio));
    for (const canvas of [this.canvas, this.over]) {
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        this.is_stale = true;
      }
    }
    return [width, height, ratio];
  }

  fit() {
    const [width, height, ratio] = this.size();
    // in the middle; of a map that is not wide, beside the legend
    const is_wide = width > 1.2 * height;
    const legend = is_wide ? 0 : (this.legend.element.offsetWidth + 8) * ratio;
    const side = 0.94 * Math.min(Math.max(width - legend, 0.6 * width), height);
    const scale = side / FULL;
    const shift = Math.max(0, Math.min(legend, width / 3) - (width - side) / 2);
    this.view = { x: FULL / 2 + shift / scale, y: FULL / 2, scale };
    this.is_fitted = true;
  }

  to_screen(x, y) {
    const { view } = this;
    return [
      (x - view.x) * view.scale + this.canvas.width / 2,
      (view.y - y) * view.scale + this.canvas.height / 2,
    ];
  }

  to_data(px, py) {
    const { view } = this;
    return [
      (px - this.canvas.width / 2) / view.scale + view.x,
      view.y - (py - this.canvas.height / 2) / view.scale,
    ];
  }

  place(event) {
    const box = this.over.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }

  zoom(px, py, factor) {
    const [x, y] = this.to_data(px, py);
    const [width, height] = this.size();
    const least = (0.4 * Math.min(width, height)) / FULL;
    const scale = Math.min(Math.max(this.view.scale * factor, least), 4);
    this.view = {
      scale,
      x: x - (px - width / 2) / scale,
      y: y + (py - height / 2) / scale,
    };
    this.is_fitted = false;
    this.redraw(true);
  }

  fly(row) {
    if (!(row >= 0 && row < this.n)) return;
    if (!this.view) this.fit();
    const from = { ...this.view };
    const [width, height] = this.size();
    const near = (8 * Math.min(width, height)) / FULL;
    const to = { x: this.xs[row], y: this.ys[row], scale: Math.max(from.scale, near) };
    const began = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - began) / 350);
      const s = t * t * (3 - 2 * t);
      this.view = {
        x: from.x + (to.x - from.x) * s,
        y: from.y + (to.y - from.y) * s,
        scale: from.scale * (to.scale / from.scale) ** s,
      };
      this.is_fitted = false;
      this.redraw(true);
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // ---- drawing --------------------------------------------------------------------------------

  // Draw again; while it moves a map of many points is drawn more simply, and well when it rests.
  redraw(moving = false) {
    if (moving && this.n > MANY) {
      this.is_moving = true;
      clearTimeout(this.settling);
      this.settling = setTimeout(() => {
        this.is_moving = false;
        this.redraw();
      }, 140);
    }
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.draw();
    });
  }

  draw() {
    const [width, height, ratio] = this.size();
    if (!this.view || (this.is_fitted && this.is_stale)) this.fit();
    this.is_stale = false;
    const context = this.canvas.getContext("2d");
    if (!this.n) {
      context.clearRect(0, 0, width, height);
      return;
    }
    const [wide, high] = [width + 2 * MARGIN, height + 2 * MARGIN];
    if (!this.image || this.image.width !== wide || this.image.height !== high) {
      this.image = context.createImageData(wide, high);
    }
    const [red, green, blue] = this.ground();
    const ground = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    new Uint32Array(this.image.data.buffer).fill(ground);
    const radius = this.radius(ratio);
    // grey is dark on a light ground
    const faint = red + green + blue > 384 ? 0.28 : 0.5;
    if (this.is_moving && radius < 1.6) this.sketch(radius, ground);
    else if (!this.mask) this.splat(-1, radius, 0.85, faint);
    else {
      // first what is not selected, then what is
      this.splat(0, radius, 0.22, 0.16);
      this.splat(1, radius + 0.5 * ratio, 1, 1);
    }
    context.putImageData(this.image, -MARGIN, -MARGIN);
    this.draw_over();
    this.root.dataset.drawn = this.n;
  }

  ground() {
    const css = getComputedStyle(this.root).backgroundColor;
    if (css !== this.ground_css) [this.ground_css, this.ground_rgb] = [css, rgb(css)];
    return this.ground_rgb;
  }

  radius(ratio) {
    // points grow as fewer are in sight
    const share = Math.min(1, (this.canvas.width * this.canvas.height) / (FULL * this.view.scale) ** 2);
    const room = Math.sqrt((this.canvas.width * this.canvas.height) / Math.max(1, this.n * share));
    return Math.min(Math.max(0.23 * room, 0.5), 5 * ratio);
  }

  to_pixels() {
    const { scale } = this.view;
    return {
      scale,
      dx: MARGIN + this.canvas.width / 2 - this.view.x * scale,
      dy: MARGIN + this.canvas.height / 2 + this.view.y * scale,
    };
  }

  sketch(radius, ground) {
    const over = this.ground();
    const strong = pack(this.colours, 0.85, over);
    const faint = pack(this.colours, 0.22, over);
    const look = { strong, faint, shown: this.shown, wide: radius >= 1, ground };
    paint_fast(this.image, this.to_pixels(), this, look);
  }

  // Paint the points in or out of the selection; those without a class or a value fainter.
  splat(which, radius, strong, faint) {
    const alpha = new Float32Array(256).fill(strong);
    if (this.order) alpha[0] = faint;
    const { colours, shown } = this;
    paint(this.image, this.to_pixels(), this, { colours, shown, alpha, radius, which });
  }

  draw_over() {
    const context = this.over.getContext("2d");
    const ratio = this.canvas.width / Math.max(1, this.root.clientWidth);
    context.clearRect(0, 0, this.over.width, this.over.height);
    for (const mark of this.data.marks || []) {
      context.strokeStyle = mark.colour || getComputedStyle(this.root).color;
      context.lineWidth = (mark.strong ? 2.5 : 1.5) * ratio;
      for (const row of mark.rows) {
        if (row >= this.n) continue;
        const [px, py] = this.to_screen(this.xs[row], this.ys[row]);
        context.beginPath();
        context.arc(px, py, (mark.strong ? 9 : 6) * ratio, 0, 2 * Math.PI);
        context.stroke();
      }
    }
    if (this.echo >= 0 && this.echo < this.n) this.draw_echo(context, ratio);
    if (this.drag && this.drag.path && this.drag.path.length > 1) {
      context.strokeStyle = context.fillStyle = this.accent();
      context.lineWidth = 1.5 * ratio;
      context.beginPath();
      for (const [x, y] of this.outline()) context.lineTo(...this.to_screen(x, y));
      context.closePath();
      context.stroke();
      context.globalAlpha = 0.12;
      context.fill();
      context.globalAlpha = 1;
    }
  }

  draw_echo(context, ratio) {
    const [px, py] = this.to_screen(this.xs[this.echo], this.ys[this.echo]);
    context.strokeStyle = getComputedStyle(this.root).color;
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    context.arc(px, py, 7 * ratio, 0, 2 * Math.PI);
    context.stroke();
  }

  accent() {
    return getComputedStyle(this.root).getPropertyValue("--st-primary-color").trim() || "#56b4e9";
  }

  outline() {
    const { path } = this.drag;
    if (this.drag.kind === "lasso") return path;
    const [[x0, y0], [x1, y1]] = [path[0], path[path.length - 1]];
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }

  // ---- the nearest point ------------------------------------------------------------------------

  grid() {
    if (this.index) return this.index;
    const { n, xs, ys } = this;
    const start = new Uint32Array(CELLS * CELLS + 1);
    const cell = (i) => (ys[i] >> 8) * CELLS + (xs[i] >> 8);
    for (let i = 0; i < n; i++) start[cell(i) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) start[c + 1] += start[c];
    const next = start.slice();
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[next[cell(i)]++] = i;
    this.index = { start, order };
    return this.index;
  }

  nearest(px, py) {
    if (!this.n || !this.view) return -1;
    const ratio = this.canvas.width / Math.max(1, this.root.clientWidth);
    const reach = (12 * ratio) / this.view.scale;
    const [x, y] = this.to_data(px, py);
    const { start, order } = this.grid();
    const clamp = (v) => Math.min(Math.max(v, 0), FULL) >> 8;
    let best = -1;
    let least = reach * reach;
    for (let cy = clamp(y - reach); cy <= clamp(y + reach); cy++) {
      for (let cx = clamp(x - reach); cx <= clamp(x + reach); cx++) {
        const c = cy * CELLS + cx;
        for (let k = start[c]; k < start[c + 1]; k++) {
          const i = order[k];
          if (!this.shown[this.codes ? this.codes[i] : 0]) continue;
          if (!(this.xs[i] | this.ys[i])) continue; // without a place
          const d = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
          if (d < least) [least, best] = [d, i];
        }
      }
    }
    return best;
  }

  // ---- the user ---------------------------------------------------------------------------------

  listen() {
    const { over } = this;
    over.addEventListener("pointerdown", (event) => this.press(event));
    over.addEventListener("pointermove", (event) => this.move(event));
    over.addEventListener("pointerup", (event) => this.release(event));
    over.addEventListener("pointercancel", () => this.stop());
    over.addEventListener("pointerleave", () => this.hide_tip());
    over.addEventListener("dblclick", (event) => this.zoom(...this.place(event), 2));
    over.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(...this.place(event), Math.exp(-event.deltaY * 0.0015));
        this.hide_tip();
      },
      { passive: false },
    );
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.on_map = (event) => (this.root.isConnected ? this.hear(event.detail) : this.leave());
    // keys that nothing else wants are the map's, wherever the pointer is
    this.on_key = (event) => {
      if (!this.root.isConnected) this.leave();
      else if ([document.body, null].includes(document.activeElement)) this.key(event);
    };
    document.addEventListener("sky-map", this.on_map);
    document.addEventListener("keydown", this.on_key);
    // the colours of the page have changed
    this.root.addEventListener("transitionend", () => this.redraw());
    for (const button of this.root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this.act(button.dataset.do));
    }
    this.watcher = new ResizeObserver(() => this.redraw());
    this.watcher.observe(this.root);
  }

  rest() {
    this.hide_tip();
  }

  leave() {
    document.removeEventListener("sky-map", this.on_map);
    document.removeEventListener("keydown", this.on_key);
  }

  press(event) {
    if (event.button !== 0 || !this.view) return;
    this.root.focus({ preventScroll: true });
    this.over.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.drag = { kind: this.tool, from: at, last: at, moved: false, path: [this.to_data(...at)] };
    this.hide_tip();
  }

  move(event) {
    const at = this.place(event);
    const { drag } = this;
    if (!drag) return this.hover(at, event);
    if (Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > 4) drag.moved = true;
    if (drag.kind === "pan") {
      this.view.x -= (at[0] - drag.last[0]) / this.view.scale;
      this.view.y += (at[1] - drag.last[1]) / this.view.scale;
      this.is_fitted = false;
      this.redraw(true);
    } else {
      drag.path.push(this.to_data(...at));
      this.draw_over();
    }
    drag.last = at;
  }

  release(event) {
    const { drag } = this;
    if (!drag) return;
    const mode = mode_of(event);
    if (!drag.moved) {
      const row = this.nearest(...this.place(event));
      if (row >= 0) this.send("click", { row, mode });
    } else if (drag.kind !== "pan") {
      const polygon = thin(this.outline(), 400).map(([x, y]) => [Math.round(x), Math.round(y)]);
      if (polygon.length > 2) this.send("lasso", { polygon, mode, hidden: this.hidden() });
    }
    this.stop();
  }

  // Give the codes that the legend hides: what is not seen is not selected.
  hidden() {
    const count = (this.data.palette || []).length;
    return [...this.shown.subarray(0, count).keys()].filter((code) => !this.shown[code]);
  }

  stop() {
    this.drag = null;
    this.draw_over();
  }

  act(what) {
    if (what === "pan" || what === "lasso" || what === "box") this.use(what);
    if (what === "fit") {
      this.fit();
      this.redraw();
    }
    if (what === "in" || what === "out") {
      this.zoom(this.canvas.width / 2, this.canvas.height / 2, what === "in" ? 1.5 : 1 / 1.5);
    }
    if (what === "png") save_png(this);
  }

  use(tool, tell = true) {
    if (tell) this.tell({ tool });
    this.tool = tool;
    this.root.dataset.tool = tool;
    for (const button of this.root.querySelectorAll("[data-do]")) {
      button.setAttribute("aria-pressed", String(button.dataset.do === tool));
    }
  }

  key(event) {
    const control = event.ctrlKey || event.metaKey;
    const tools = { l: "lasso", b: "box", v: "pan", f: "fit", "+": "in", "=": "in", "-": "out" };
    const shift = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (control && event.key.toLowerCase() === "z") {
      this.send("keys", { key: event.shiftKey ? "redo" : "undo", row: -1 });
    } else if (control && event.key === "y") {
      this.send("keys", { key: "redo", row: -1 });
    } else if (control || event.altKey) {
      return;
    } else if (tools[event.key]) {
      this.act(tools[event.key]);
    } else if (shift[event.key] && this.view) {
      const far = (0.1 * this.canvas.height) / this.view.scale;
      this.view.x += shift[event.key][0] * far;
      this.view.y += shift[event.key][1] * far;
      this.is_fitted = false;
      this.redraw(true);
    } else if (event.key === "Escape") {
      if (this.drag) this.stop();
      else if (this.tool !== "pan") this.use("pan");
      else this.send("lasso", { polygon: [], mode: "new", hidden: [] });
    } else if (/^[0-9jk]$/.test(event.key) && this.data.object >= 0) {
      // the object is named, since another may be looked at when the page gets to it
      this.send("keys", { key: event.key, row: this.data.object });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- hover --------------------------------------------------------------------------------------

  hover(at, event) {
    const row = this.nearest(...at);
    this.over.style.cursor = row >= 0 ? "pointer" : this.tool === "pan" ? "grab" : "crosshair";
    if (row < 0) return this.hide_tip();
    const box = this.root.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    this.tip.style.transform = `translate(${Math.min(x + 14, box.width - 176)}px, ${
      y > box.height - 230 ? y - 210 : y + 14
    }px)`;
    if (row === this.hovered) return;
    this.hovered = row;
    this.tell({ row });
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.show_tip(row), 40);
  }

  async show_tip(row) {
    if (!this.data.about || row !== this.hovered) return;
    const picture = this.tip.querySelector("img");
    const text = this.tip.querySelector("div");
    picture.src = `${this.data.about}${row}.jpg`;
    text.textContent = "";
    this.tip.hidden = false;
    const answer = await fetch(`${this.data.about}${row}.json`);
    if (!answer.ok || row !== this.hovered) return;
    const lines = await answer.json();
    text.replaceChildren(
      ...lines.map((line, number) => {
        const item = document.createElement(number ? "span" : "b");
        item.textContent = line;
        return item;
      }),
    );
  }

  hide_tip() {
    clearTimeout(this.waiting);
    if (this.hovered >= 0) this.tell({ row: -1 });
    this.hovered = -1;
    this.tip.hidden = true;
  }
}

function mode_of(event) {
  if (event.shiftKey && event.altKey) return "intersect";
  if (event.shiftKey) return "add";
  if (event.altKey) return "subtract";
  return "new";
}

function thin(path, most) {
  const step = Math.ceil(path.length / most);
  return path.filter((_, number) => number % step === 0);
}
