// One chart: lines, bands, dots and reference lines as SVG, drawn again whenever the shared view changes.

const SVG = "http://www.w3.org/2000/svg";
const SKIPPED = 0.1; // of the horizontal range: the first steps' loss would flatten everything after it

function svg(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

class Chart {
  constructor(figure, spec, view) {
    this.figure = figure;
    this.spec = spec;
    this.view = view;
    this.plot = figure.querySelector(".plot");
    this.plot.replaceChildren();
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.plot.append(this.tip);
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "group");
    this.plot.setAttribute("aria-roledescription", "interactive chart");
    this.plot.setAttribute("aria-label", spec.title);
    this.plot.setAttribute("aria-describedby", "chart-keys");
    this.connect();
  }

  /** Every line of the chart in the units now chosen: {curve, kind, x, y, low, high}. */
  lines() {
    const found = [];
    for (const curve of this.view.shown()) {
      const convert = this.converter(curve);
      if (!convert) continue;
      const take = (points, kind, key) => {
        if (!points || !points[key]) return;
        const x = this.view.xOf(curve, points);
        if (!x) return;
        const map = (values) => values && values.map((value) => (value === null ? null : convert(value)));
        const band = key === "loss" || key === "norm";
        found.push({
          curve, kind, x, y: map(points[key]),
          low: band ? map(points[key + "_low"]) : undefined, high: band ? map(points[key + "_high"]) : undefined,
        });
      };
      take(curve.raw, "raw", this.spec.metric);
      take(curve.train, "line", this.spec.metric);
      if (this.spec.metric === "loss") {
        take(curve.valid, "dots", "loss");
        take(curve.end, "ring", "loss");
      }
    }
    return found;
  }

  converter(curve) {
    if (this.spec.metric !== "loss" || this.view.unit === "nats") return (value) => value;
    if (!curve.bits) return null;
    if (this.view.unit === "bits") return (value) => value * curve.bits;
    return curve.entropy === null ? null : (value) => value * curve.bits - curve.entropy;
  }

  references() {
    if (this.spec.metric !== "loss" || this.view.unit === "excess") return [];
    const seen = new Map();
    for (const curve of this.view.shown()) {
      if (curve.entropy === null || !curve.bits) continue;
      const y = this.view.unit === "bits" ? curve.entropy : curve.entropy / curve.bits;
      if (!seen.has(y.toPrecision(4))) seen.set(y.toPrecision(4), y);
    }
    return [...seen.values()].slice(0, 3);
  }

  domain(lines, x0, x1) {
    const { view } = this;
    const from = view.zoom || view.xlog || view.ylog ? x0 : x0 + (x1 - x0) * (this.spec.metric === "loss" ? SKIPPED : 0);
    let low = Infinity, high = -Infinity;
    for (const line of lines) {
      if (line.kind === "raw") continue;
      line.x.forEach((x, index) => {
        if (x < from || x > x1) return;
        for (const values of [line.y, line.low, line.high]) {
          const y = values && values[index];
          if (y === undefined || y === null || (view.ylog && y <= 0)) continue;
          if (y < low) low = y;
          if (y > high) high = y;
        }
      });
    }
    for (const y of this.references()) { low = Math.min(low, y); high = Math.max(high, y); }
    if (!(low <= high)) return view.ylog ? [0.1, 1] : [0, 1];
    if (view.ylog) {
      if (low === high) return [low / 2, high * 2];
      const margin = (high / low) ** 0.05;
      return [low / margin, high * margin];
    }
    if (low >= 0 && this.spec.metric !== "loss") low = 0;
    const margin = (high - low || Math.abs(high) || 1) * 0.06;
    return [low === 0 ? 0 : low - margin, high + margin];
  }

  draw() {
    const { view, plot } = this;
    const width = Math.max(240, plot.clientWidth), wide = this.spec.main && width >= 700;
    const height = this.spec.main ? Math.round(Math.min(440, Math.max(300, width * 0.46))) : 230;
    const lines = this.lines();
    const labelled = wide && view.shown().length <= 6;
    const box = { left: 52, right: width - (labelled ? 150 : this.references().length ? (wide ? 104 : 26) : 14), top: 26, bottom: height - 38 };
    let [x0, x1] = view.zoom || view.extent(this.spec.metric);
    if (view.xlog && !(x0 > 0)) x0 = view.leastPositive();
    if (!(x1 > x0)) x1 = x0 + 1;
    const [y0, y1] = view.yZoom && view.yZoom.chart === this ? view.yZoom.range : this.domain(lines, x0, x1);
    const log = view.ylog && y0 > 0;
    const x = new Scale(x0, x1, box.left, box.right, view.xlog), y = new Scale(y0, y1, box.bottom, box.top, log);
    const root = svg("svg", { class: view.shown().length > 12 ? "many" : "", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" });
    const clip = `clip-${this.spec.id}`;
    const clipPath = svg("clipPath", { id: clip }, svg("defs", {}, root));
    svg("rect", { x: box.left - 1, y: box.top - 6, width: box.right - box.left + 8, height: box.bottom - box.top + 7 }, clipPath);

    const axis = svg("g", { class: "axis" }, root);
    for (const tick of y.ticks(this.spec.main ? 6 : 4)) {
      const at = y.at(tick);
      svg("line", { x1: box.left, x2: box.right, y1: at, y2: at, class: "grid" }, axis);
      svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, axis, Math.abs(tick) >= 1e4 ? compact(tick) : significant(tick, 4));
    }
    const kind = X_AXES[view.x];
    for (const tick of x.ticks(Math.max(2, (box.right - box.left) / 95), view.x === "time")) {
      const at = x.at(tick);
      svg("line", { x1: at, x2: at, y1: box.bottom, y2: box.bottom + 5, class: "tick" }, axis);
      svg("text", { x: at, y: box.bottom + 19, "text-anchor": "middle" }, axis, kind.write(tick));
    }
    svg("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "base" }, axis);
    svg("text", { x: box.right, y: height - 3, "text-anchor": "end", class: "title" }, axis, kind.label + (view.xlog ? ", logarithmic" : ""));
    svg("text", { x: 4, y: 12, class: "title" }, axis, this.label() + (log ? ", logarithmic" : ""));

    const inside = svg("g", { "clip-path": `url(#${clip})` }, root);
    for (const line of lines) this.drawLine(line, x, y, inside);
    this.drawReferences(root, lines, x, y, box);
    if (labelled) this.labelEnds(root, lines, x, y, box);
    this.cursor = svg("g", { class: "cursor" }, root);
    this.brush = svg("rect", { class: "brush", visibility: "hidden", y: box.top, height: box.bottom - box.top }, root);
    if (this.root) this.root.replaceWith(root); else plot.prepend(root);
    Object.assign(this, { root, box, x, y, drawn: lines });
    this.showCursor();
  }

  label() {
    if (this.spec.metric !== "loss") return this.spec.unit;
    return { bits: "bits per byte", nats: "nats per token", excess: "bits per byte above the exact entropy" }[this.view.unit];
  }

  drawLine(line, x, y, parent) {
    const { curve, kind } = line;
    const group = svg("g", { class: `c${curve.color} d${curve.dash}${this.view.dimmed(curve) ? " dim" : ""}` }, parent);
    const valid = (value) => value !== null && value !== undefined && (!y.log || value > 0);
    if (line.low && line.high) {
      const up = [], down = [];
      line.x.forEach((at, index) => {
        if (!valid(line.low[index]) || !valid(line.high[index]) || (x.log && at <= 0)) return;
        up.push(`${x.at(at).toFixed(1)},${y.at(line.high[index]).toFixed(1)}`);
        down.push(`${x.at(at).toFixed(1)},${y.at(line.low[index]).toFixed(1)}`);
      });
      if (up.length > 1) svg("path", { class: "band", d: `M${up.join("L")}L${down.reverse().join("L")}Z` }, group);
    }
    let path = "", broken = true, last = null, count = 0;
    line.x.forEach((at, index) => {
      const value = line.y[index];
      if (!valid(value) || (x.log && at <= 0)) { broken = true; return; }
      const px = x.at(at).toFixed(1), py = Math.max(-1e4, Math.min(1e4, y.at(value))).toFixed(1);
      path += (broken ? "M" : "L") + px + "," + py;
      broken = false; last = [px, py]; count++;
      if (kind === "dots") svg("circle", { cx: px, cy: py, r: line.x.length > 60 ? 2 : 3.4, class: "dot" }, group);
      if (kind === "ring") svg("circle", { cx: px, cy: py, r: 5.2, class: "ring" }, group);
    });
    if (kind === "line" || kind === "raw") svg("path", { class: kind, d: path }, group);
    if (kind === "line" && count === 1) svg("circle", { cx: last[0], cy: last[1], r: 4, class: "dot" }, group);
  }

  drawReferences(root, lines, x, y, box) {
    const references = this.references();
    if (!references.length) return;
    const group = svg("g", { class: "reference" }, root);
    for (const value of references) {
      const at = y.at(value);
      if (at < box.top - 1 || at > box.bottom + 1) continue;
      svg("line", { x1: box.left, x2: box.right, y1: at, y2: at }, group);
      svg("text", { x: box.left + 8, y: at - 7 }, group, `exact entropy ${value.toFixed(4)}`);
    }
    if (references.length > 1) return;
    // The gap: from the best run's last validation down to the entropy.
    const ends = lines.filter((line) => line.kind === "ring").map((line) => line.y.at(-1)).filter((value) => value !== null);
    if (!ends.length) return;
    const best = Math.min(...ends), from = y.at(best), to = y.at(references[0]);
    if (!(to - from > 3) || from < box.top) return;
    const at = box.right + 9;
    svg("path", { class: "gap", d: `M${at - 4},${from}h8M${at},${from}V${to}M${at - 4},${to}h8` }, group);
    const text = svg("text", { class: "gap-label" }, group, `gap ${(best - references[0]).toFixed(4)}`);
    const roomy = this.plot.clientWidth - box.right > 90;
    for (const [key, to2] of Object.entries(roomy ? { x: at + 9, y: (from + to) / 2 + 4 } : { x: box.right - 8, y: to - from > 40 ? (from + to) / 2 : from - 12, "text-anchor": "end" })) text.setAttribute(key, to2);
  }

  /** Names at the ends of the curves: right of the plot, or inside it where a run is shorter than the others. */
  labelEnds(root, lines, x, y, box) {
    const ends = new Map();
    for (const line of lines) {
      const at = line.y.findLastIndex((value) => value !== null && (!y.log || value > 0));
      if (at < 0 || line.kind === "raw" || (ends.has(line.curve) && line.kind === "dots")) continue;
      if (line.x[at] >= x.low && line.x[at] <= x.high * 1.0001) ends.set(line.curve, [x.at(line.x[at]), y.at(line.y[at])]);
    }
    const gap = root.querySelector(".gap-label");
    const labels = [...ends].map(([curve, [px, py]]) => ({ curve, px, py, outside: px > box.right - 40 })).sort((a, b) => b.py - a.py);
    const placed = [];
    if (gap && gap.getAttribute("text-anchor") !== "end") placed.push([box.right, Number(gap.getAttribute("y")) - 4]);
    for (const { curve, px, py, outside } of labels) {
      if (py < box.top || py > box.bottom + 8) continue;
      const at = outside ? box.right : px;
      // Upwards from the lowest, so that labels keep their order and none covers another.
      let level = py;
      while (placed.some(([otherAt, other]) => Math.abs(other - level) < 16 && Math.abs(otherAt - at) < 120)) level -= 4;
      placed.push([at, level]);
      const name = curve.name.length > 17 ? curve.name.slice(0, 16) + "\u2026" : curve.name;
      svg("text", { class: `end c${curve.color}${this.view.dimmed(curve) ? " dim" : ""}`, x: at + (outside ? 18 : 11), y: level + 4 }, root, name);
    }
  }

  /** What each visible curve has at the cursor, best first. */
  values(at) {
    const rows = [];
    for (const line of this.drawn) {
      if (line.kind !== "line" && !(line.kind === "dots" && !line.curve.train)) continue;
      if (at > line.x.at(-1) * 1.02 || at < line.x[0] * 0.98) continue;
      const index = nearest(line.x, at);
      if (line.y[index] !== null) rows.push({ curve: line.curve, x: line.x[index], y: line.y[index], low: line.low?.[index], high: line.high?.[index] });
    }
    return rows.sort((a, b) => a.y - b.y);
  }

  showCursor() {
    const { view } = this;
    this.cursor.replaceChildren();
    const at = view.cursor;
    const inside = at !== null && at >= this.x.low && at <= this.x.high;
    if (!inside) { this.tip.hidden = true; return; }
    const px = this.x.at(at);
    svg("line", { x1: px, x2: px, y1: this.box.top, y2: this.box.bottom }, this.cursor);
    const rows = this.values(at);
    for (const row of rows) {
      const cy = this.y.at(row.y);
      if (cy >= this.box.top - 4 && cy <= this.box.bottom + 4) svg("circle", { cx: this.x.at(row.x), cy, r: 4, class: `c${row.curve.color} dot` }, this.cursor);
    }
    if (view.active !== this || !rows.length) { this.tip.hidden = true; return; }
    this.fillTip(rows, at, px);
  }

  fillTip(rows, at, px) {
    const limit = 10;
    const head = document.createElement("b");
    head.textContent = `${X_AXES[this.view.x].write(at)} ${{ tokens: "tokens", steps: "steps", flops: "FLOPs" }[this.view.x] ?? ""}`;
    const list = document.createElement("table");
    for (const row of rows.slice(0, limit)) {
      const line = list.insertRow();
      line.className = `c${row.curve.color}`;
      const swatch = line.insertCell().appendChild(document.createElement("span"));
      swatch.className = "swatch";
      line.insertCell().textContent = row.curve.name;
      line.insertCell().textContent = this.write(row.y);
      if (row.low !== undefined) line.insertCell().textContent = `${this.write(row.low)} \u2013 ${this.write(row.high)}`;
    }
    const parts = [head, list];
    if (rows.length > limit) {
      const more = document.createElement("i");
      more.textContent = `and ${rows.length - limit} more`;
      parts.push(more);
    }
    this.tip.replaceChildren(...parts);
    this.tip.hidden = false;
    const half = this.plot.clientWidth / 2;
    this.tip.style.left = px < half ? `${px + 14}px` : "";
    this.tip.style.right = px < half ? "" : `${this.plot.clientWidth - px + 14}px`;
  }

  write(value) { return Math.abs(value) >= 1e4 ? compact(value, 4) : this.spec.metric === "loss" ? value.toFixed(4) : significant(value, 4); }

  connect() {
    const { plot, view } = this;
    let began = null;
    const place = (event) => {
      const rectangle = plot.getBoundingClientRect();
      return [event.clientX - rectangle.left, event.clientY - rectangle.top];
    };
    plot.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") { const [px] = place(event); view.moveCursor(this, this.x.invert(Math.min(this.box.right, Math.max(this.box.left, px)))); return; }
      if (event.button) return;
      began = place(event);
      plot.setPointerCapture(event.pointerId);
    });
    plot.addEventListener("pointermove", (event) => {
      const [px, py] = place(event);
      if (began) {
        const [left, right] = [began[0], px].sort((a, b) => a - b).map((at) => Math.min(this.box.right, Math.max(this.box.left, at)));
        this.brush.setAttribute("visibility", "visible");
        this.brush.setAttribute("x", left);
        this.brush.setAttribute("width", Math.max(0, right - left));
        if (this.tall(began, py)) {
          const [top, bottom] = [began[1], py].sort((a, b) => a - b);
          this.brush.setAttribute("y", top);
          this.brush.setAttribute("height", bottom - top);
        } else {
          this.brush.setAttribute("y", this.box.top);
          this.brush.setAttribute("height", this.box.bottom - this.box.top);
        }
      }
      view.moveCursor(this, px >= this.box.left && px <= this.box.right ? this.x.invert(px) : null);
    });
    plot.addEventListener("pointerup", (event) => {
      if (!began) return;
      const [px, py] = place(event), from = began;
      began = null;
      if (Math.abs(px - from[0]) < 6) { this.brush.setAttribute("visibility", "hidden"); return; }
      const clamp = (at) => Math.min(this.box.right, Math.max(this.box.left, at));
      const range = [from[0], px].map((at) => this.x.invert(clamp(at))).sort((a, b) => a - b);
      const heights = [from[1], py].map((at) => this.y.invert(at)).sort((a, b) => a - b);
      view.zoomTo(range, this.tall(from, py) ? { chart: this, range: heights } : null);
    });
    // A finger leaves whenever it is lifted: what it pointed at stays until the next touch.
    plot.addEventListener("pointerleave", (event) => { if (!began && event.pointerType !== "touch") view.moveCursor(this, null); });
    plot.addEventListener("dblclick", () => view.zoomTo(null));
    plot.addEventListener("blur", () => view.moveCursor(this, null));
    plot.addEventListener("keydown", (event) => this.press(event));
  }

  tall(from, py) { return this.spec.main && Math.abs(py - from[1]) > 40; }

  press(event) {
    const { view } = this;
    const span = this.x.to - this.x.from, here = view.cursor === null ? this.x.from : this.x.at(view.cursor);
    const moves = { ArrowLeft: here - span / 50, ArrowRight: here + span / 50, Home: this.x.from, End: this.x.to };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) {
      view.moveCursor(this, this.x.invert(Math.min(this.x.to, Math.max(this.x.from, moves[event.key]))));
      view.announce(this);
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const factor = event.key === "-" ? 1 : 0.25;
      view.zoomTo([here - span * factor, here + span * factor].map((at) => this.x.invert(at)));
    } else if (event.key === "0" || event.key === "Escape") view.zoomTo(null);
    else return;
    event.preventDefault();
  }
}
