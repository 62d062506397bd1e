// The page's controls: legend, switches, theme, sortable tables, print. Without scripts all content is still there.

const find = (selector, from = document) => [...from.querySelectorAll(selector)];

function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function switchOf(name, title, choices, chosen, choose) {
  const set = make("fieldset", { className: "switch" }, make("legend", { textContent: title }));
  for (const [value, text] of choices) {
    const input = make("input", { type: "radio", name, value, checked: value === chosen, id: `${name}-${value}` });
    input.addEventListener("change", () => choose(value));
    set.append(input, make("label", { htmlFor: input.id, textContent: text }));
  }
  return set;
}

function startCharts(data) {
  const live = document.getElementById("live");
  const view = new View(data.curves, live);
  const bar = document.getElementById("controls");
  view.charts = data.charts.map((spec) => new Chart(document.getElementById(`chart-${spec.id}`), spec, view));

  const budgets = [...new Set(data.curves.map((curve) => curve.budget))];
  const redoLegend = () => buildLegend(view);
  if (budgets.length > 1) {
    bar.append(switchOf("budget", "Equal", budgets.map((budget) => [budget, data.budgets[budget] ?? budget]), view.budget,
      (budget) => { view.set({ budget }); redoLegend(); }));
  }
  const axes = [["tokens", "tokens"], ["steps", "steps"], ["time", "time"]];
  if (data.curves.some((curve) => curve.flops !== null)) axes.push(["flops", "FLOPs"]);
  bar.append(switchOf("x", "Over", axes, view.x, (x) => view.set({ x })));
  const units = [];
  if (data.curves.some((curve) => curve.bits)) units.push(["bits", "bits per byte"]);
  units.push(["nats", "nats per token"]);
  if (data.curves.some((curve) => curve.bits && curve.entropy !== null)) units.push(["excess", "above entropy"]);
  if (units.length > 1) bar.append(switchOf("unit", "Loss in", units, view.unit, (unit) => view.set({ unit })));
  const scales = [["linear", "linear"], ["log", "log"]];
  bar.append(
    switchOf("xscale", "x", scales, "linear", (scale) => view.set({ xlog: scale === "log", zoom: null })),
    switchOf("yscale", "y", scales, "linear", (scale) => view.set({ ylog: scale === "log" })),
  );
  const reset = make("button", { type: "button", className: "reset", textContent: "Reset zoom", hidden: true });
  reset.addEventListener("click", () => view.zoomTo(null));
  bar.append(reset);
  bar.hidden = false;
  view.onDraw = () => { reset.hidden = !view.zoom && !view.yZoom; };

  redoLegend();
  view.draw();
  // Bars and fonts change the width as well as the window does; drawn once a frame, whatever the number of charts.
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (Math.abs(entry.contentRect.width - width) < 1) return;
    width = entry.contentRect.width;
    requestAnimationFrame(() => view.draw());
  }).observe(view.charts[0].plot);
}

function buildLegend(view) {
  const legend = document.getElementById("legend");
  const buttons = view.listed().map((curve) => {
    const button = make("button", { type: "button", className: `chip c${curve.color} d${curve.dash}`, title: "Hide or show; double-click: only this one" });
    const line = svg("svg", { width: 26, height: 10, "aria-hidden": "true", class: "key" });
    svg("path", { class: "line", d: "M1,5H25" }, line);
    button.append(line, make("span", { textContent: curve.name }));
    const mark = () => button.setAttribute("aria-pressed", String(!view.hidden.has(curve)));
    button.addEventListener("click", () => {
      if (!view.hidden.delete(curve)) view.hidden.add(curve);
      mark();
      view.draw();
    });
    button.addEventListener("dblclick", () => {
      view.hidden = new Set(view.listed().filter((other) => other !== curve));
      buildLegend(view);
      view.draw();
    });
    const focus = (on) => { view.focus = on && view.listed().length > 1 && !view.hidden.has(curve) ? curve : null; view.draw(); };
    button.addEventListener("mouseenter", () => focus(true));
    button.addEventListener("mouseleave", () => focus(false));
    mark();
    return make("li", {}, button);
  });
  if (buttons.length > 2) {
    const all = make("button", { type: "button", className: "chip all", textContent: "show all / none" });
    all.addEventListener("click", () => {
      view.hidden = view.hidden.size ? new Set() : new Set(view.listed());
      buildLegend(view);
      view.draw();
    });
    buttons.push(make("li", {}, all));
  }
  legend.replaceChildren(...buttons);
}

function startTables() {
  for (const table of find("table.sortable")) {
    const heads = find("thead th", table);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const falling = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const body = table.tBodies[0];
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...body.rows].map((row) => [key(row), row]);
        const numeric = rows.some(([value]) => value !== "" && !Number.isNaN(Number(value)));
        rows.sort(([a], [b]) => {
          // Empty cells come last, whichever way.
          if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
          const order = numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true });
          return falling ? -order : order;
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
}

/** A token's figure below its text, for fingers and for eyes that do not wait for a tooltip. */
function startSamples() {
  for (const sample of find(".sample")) {
    const readout = make("b", { className: "readout" });
    sample.querySelector("figcaption").append(readout);
    const show = (event) => {
      const token = event.target.closest(".t");
      readout.textContent = token ? `\u201c${token.textContent.trim() || "\u2423"}\u201d ${token.title}` : "";
    };
    sample.addEventListener("pointerover", show);
    sample.addEventListener("click", show);
  }
}

function startTheme() {
  const root = document.documentElement;
  const choose = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    try {
      if (theme === "auto") localStorage.removeItem("homespun-report-theme");
      else localStorage.setItem("homespun-report-theme", theme);
    } catch { /* storage is off: the choice lasts as long as the page */ }
  };
  const themes = [["auto", "auto"], ["light", "light"], ["dark", "dark"]];
  document.getElementById("theme").append(switchOf("theme", "Theme", themes, root.dataset.theme ?? "auto", choose));
}

addEventListener("beforeprint", () => find("details").forEach((details) => { details.dataset.was = details.open; details.open = true; }));
addEventListener("afterprint", () => find("details").forEach((details) => { details.open = details.dataset.was === "true"; }));

const report = JSON.parse(document.getElementById("data").textContent);
startTheme();
startTables();
startSamples();
if (report.charts.length) startCharts(report);
