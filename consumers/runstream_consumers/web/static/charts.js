// Draws each article[data-key] of a run page with uPlot, once it comes into view, from the API's series.
"use strict";
const Charts = (() => {
  if (typeof uPlot === "undefined") {
    document.querySelectorAll(".plot").forEach((plot) => plot.append("The chart library is missing: run make web."));
    return { watch: () => {}, refresh: async () => {} };
  }
  const SAMPLES = 600;
  const COLOURS = 8;
  const LISTED = 64;
  const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
  const charts = new Map(); // article -> uPlot
  const waiting = new Set();
  const { api, started } = document.querySelector("main").dataset;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2).replace("e+", "e");
    return String(Number(value.toPrecision(5)));
  };
  // Non-finite numbers come as {"_type": "float", ...}: a gap in the curve.
  const plain = (value) => (typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null);

  // The machine is measured by the clock, all else by steps, or by the metric that a definition names.
  const isTimed = (article) => article.dataset.stream === "system";
  const lasting = (seconds) => {
    if (seconds < 120) return `${Math.round(seconds)}s`;
    if (seconds < 7200) return `${Number((seconds / 60).toFixed(1))}m`;
    return `${Number((seconds / 3600).toFixed(2))}h`;
  };

  // Values of another series at some steps: those it has there; between two points of a sample, what lies between them.
  function valuesAt(steps, series) {
    const known = series.steps.map((step, index) => [step, plain(series.values[index])]).filter(([, value]) => value !== null);
    let next = 0;
    return steps.map((step) => {
      while (next < known.length && known[next][0] < step) next++;
      const [after, before] = [known[next], known[next - 1]];
      if (after && after[0] === step) return after[1];
      if (!before) return null;
      return after ? before[1] + (after[1] - before[1]) * (step - before[0]) / (after[0] - before[0]) : before[1];
    });
  }

  // The series of a chart with their places on the x axis; over steps where the step metric of none of them is known.
  function placed(article, series) {
    const found = series.filter((one) => one.key === article.dataset.key && one.values.some((value) => plain(value) !== null));
    const clock = (time) => Math.max(0, Math.round((time - started) * 10) / 10);
    const { x } = article.dataset;
    const over = x ? series.filter((one) => one.key === x) : [];
    const known = found.map((one) => ({ one, axis: over.find((other) => other.writer === one.writer) })).filter(({ axis }) => axis);
    article.dataset.over = known.length ? x : "";
    if (known.length) return known.map(({ one, axis }) => ({ ...one, places: valuesAt(one.steps, axis) }));
    return found.map((one) => ({ ...one, places: isTimed(article) ? one.times.map(clock) : one.steps }));
  }

  function data(article, found) {
    const tables = found.map((one) => {
      const points = new Map();
      one.places.forEach((place, index) => { if (place !== null) points.set(place, plain(one.values[index])); });
      const steps = [...points.keys()].sort((a, b) => a - b);
      return [steps, steps.map((step) => points.get(step))];
    });
    return tables.length === 1 ? tables[0] : uPlot.join(tables, tables.map((table) => table.slice(1).map(() => 2)));
  }

  function axis(side, size, timed, whole) {
    const line = { stroke: css("--line"), width: 1 };
    const said = timed && side === 2 ? lasting : number;
    const values = (_, splits) => splits.map((split) => (split === null ? "" : said(split)));
    return { side, size, stroke: css("--faint"), font: `11px ${css("--sans")}`, grid: side === 2 ? { show: false } : line,
      ticks: { show: false }, border: { show: side === 2, ...line }, gap: 6, space: side === 2 ? 60 : 34, values, ...(whole ? { incrs: STEPS } : {}) };
  }

  function options(article, found) {
    const plot = article.querySelector(".plot");
    const few = found.every((one) => one.steps.length < 40);
    const { over } = article.dataset;
    const sync = uPlot.sync(over ? `over ${over}` : "step");
    return {
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: false } }, axes: [axis(2, 26, isTimed(article), !over), axis(3, 50)],
      cursor: { ...(isTimed(article) ? {} : { sync: { key: sync.key, setSeries: false } }), points: { size: 6 }, drag: { x: true, y: false } },
      series: [{}].concat(found.map((one, index) => ({
        label: one.label, stroke: css(`--c${(index % COLOURS) + 1}`), width: 1.4, spanGaps: false,
        points: { show: few, size: 4, width: 1.4, fill: css("--card") },
      }))),
      hooks: { setCursor: [(chart) => read(article, chart, found)] },
    };
  }

  function read(article, chart, found) {
    const output = article.querySelector("output");
    const index = chart.cursor.idx;
    const hovering = index !== null && index !== undefined;
    const last = (column) => { for (let i = column.length - 1; i >= 0; i--) if (column[i] !== null && column[i] !== undefined) return column[i]; return null; };
    const values = chart.data.slice(1).map((column) => (hovering ? column[index] : last(column)));
    const strong = document.createElement("b");
    strong.textContent = values.slice(0, 3).map(number).join("  ");
    const place = chart.data[0][index];
    const { over } = article.dataset;
    const said = isTimed(article) ? lasting(place) : over ? `${over} ${number(place)}` : `step ${place}`;
    output.replaceChildren(...(hovering ? [`${said}  `, strong] : [strong]));
  }

  function keys(article, found) {
    article.querySelector(".keys")?.remove();
    if (found.length < 2) return;
    const list = document.createElement("div");
    list.className = "keys";
    found.slice(0, LISTED).forEach((one, index) => {
      const entry = document.createElement("span");
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of [["width", 12], ["height", 3], ["rx", 1.5], ["fill", css(`--c${(index % COLOURS) + 1}`)]]) bar.setAttribute(name, value);
      mark.append(bar);
      entry.append(mark, one.label);
      list.append(entry);
    });
    article.append(list);
  }

  function draw(article, series) {
    const plot = article.querySelector(".plot");
    const old = charts.get(article);
    const found = placed(article, series);
    const shape = [article.dataset.over, ...found.map((one) => one.writer)].join();
    plot.classList.toggle("empty", found.length === 0);
    if (old && article.dataset.shape === shape) {
      old.setData(data(article, found));
      return read(article, old, found);
    }
    old?.destroy();
    charts.delete(article);
    plot.textContent = found.length ? "" : "No finite numbers yet";
    if (!found.length) return undefined;
    article.dataset.shape = shape;
    keys(article, found);
    const chart = new uPlot(options(article, found), data(article, found), plot);
    charts.set(article, chart);
    return read(article, chart, found);
  }

  async function load(articles) {
    for (const stream of ["history", "system"]) {
      const asked = articles.filter((article) => article.dataset.stream === stream);
      if (!asked.length) continue;
      const query = new URLSearchParams({ samples: SAMPLES, stream });
      new Set(asked.flatMap(({ dataset }) => [dataset.key, dataset.x].filter(Boolean))).forEach((key) => query.append("keys", key));
      const answer = await fetch(`${api}/series?${query}`);
      if (!answer.ok) throw new Error(`series: ${answer.status}`);
      const { series } = await answer.json();
      asked.forEach((article) => draw(article, series));
    }
  }

  const seen = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => { waiting.add(entry.target); seen.unobserve(entry.target); });
    const now = [...waiting];
    waiting.clear();
    if (now.length) load(now).catch(() => now.forEach((article) => seen.observe(article)));
  }, { rootMargin: "300px" });
  const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const chart = charts.get(target.parentElement);
    if (chart && target.clientWidth) chart.setSize({ width: target.clientWidth, height: target.clientHeight });
  }));

  function watch(article) {
    seen.observe(article);
    sized.observe(article.querySelector(".plot"));
  }
  document.querySelectorAll("article[data-key]").forEach(watch);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    const drawn = [...charts.keys()];
    drawn.forEach((article) => { charts.get(article).destroy(); charts.delete(article); delete article.dataset.shape; });
    load(drawn).catch(() => {});
  });
  return { watch, refresh: () => load([...charts.keys()]) };
})();
