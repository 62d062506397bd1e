// What all charts of the page share: the horizontal axis, scales, unit, hidden curves, zoom and cursor.

const KEYS = { tokens: "tokens", steps: "step", time: "seconds", flops: "tokens" };

class View {
  constructor(curves, live) {
    this.curves = curves;
    this.live = live;
    this.charts = [];
    this.hidden = new Set();
    this.x = "tokens";
    this.xlog = this.ylog = false;
    this.unit = curves.every((curve) => curve.bits) ? "bits" : "nats";
    this.budget = curves[0]?.budget ?? null;
    this.zoom = this.yZoom = this.cursor = this.active = this.focus = null;
  }

  /** Curves of the chosen budget that the legend has not hidden. */
  shown() { return this.listed().filter((curve) => !this.hidden.has(curve)); }

  listed() { return this.curves.filter((curve) => curve.budget === this.budget); }

  dimmed(curve) { return this.focus !== null && this.focus !== curve; }

  /** The horizontal values of some points of a curve, or null where the run does not know them. */
  xOf(curve, points) {
    const values = points[KEYS[this.x]] ?? (KEYS[this.x] === "tokens" ? points.step.map((step) => step * curve.tokens_per_step) : undefined);
    if (this.x !== "flops") return values ?? null;
    return curve.flops === null ? null : values.map((tokens) => tokens * curve.flops);
  }

  extent(metric) {
    let low = Infinity, high = -Infinity;
    for (const curve of this.shown()) {
      for (const points of [curve.train, metric === "loss" ? curve.valid : null]) {
        const x = points && this.xOf(curve, points);
        if (x && x.length) { low = Math.min(low, x[0]); high = Math.max(high, x.at(-1)); }
      }
    }
    if (!(low <= high)) return [0, 1];
    return [this.xlog ? low : Math.min(0, low), high];
  }

  leastPositive() {
    let least = Infinity;
    for (const curve of this.shown()) {
      const x = curve.train && this.xOf(curve, curve.train);
      const first = x && x.find((value) => value > 0);
      if (first) least = Math.min(least, first);
    }
    return Number.isFinite(least) ? least : 1;
  }

  set(changes) {
    Object.assign(this, changes);
    if ("x" in changes || "budget" in changes) this.zoom = this.yZoom = this.cursor = null;
    if ("ylog" in changes || "unit" in changes) this.yZoom = null;
    this.draw();
  }

  zoomTo(range, yZoom = null) {
    if (range) {
      const [low, high] = this.extent("loss");
      range = [Math.max(low, range[0]), Math.min(high, range[1])];
      if (!(range[1] - range[0] > (high - low) * 1e-4)) return;
      if (range[0] <= low && range[1] >= high && !yZoom) range = null;
    }
    this.zoom = range;
    this.yZoom = yZoom;
    this.draw();
  }

  moveCursor(chart, at) {
    this.active = chart;
    this.cursor = at;
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      for (const each of this.charts) each.showCursor();
    });
  }

  draw() {
    for (const chart of this.charts) chart.draw();
    this.onDraw?.();
  }

  /** Read the values at the cursor to people who do not see the chart; once the key has rested. */
  announce(chart) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.cursor === null) return;
      const rows = chart.values(this.cursor).slice(0, 5).map((row) => `${row.curve.name} ${chart.write(row.y)}`);
      this.live.textContent = `${X_AXES[this.x].write(this.cursor)} ${X_AXES[this.x].label}: ${rows.join(", ")}`;
    }, 300);
  }
}
