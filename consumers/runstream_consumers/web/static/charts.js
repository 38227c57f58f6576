// Draws each article[data-key] of a run page with uPlot, once it is scrolled into view, from the API's series.
"use strict";
const Charts = (() => {
  if (typeof uPlot === "undefined") {
    document.querySelectorAll(".plot").forEach((plot) => plot.append("The chart library is missing; run `make web`."));
    return { watch: () => {}, refresh: async () => {} };
  }
  const SAMPLES = 600;
  const COLORS = 8;
  const LISTED = 64;
  const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
  const STREAMS = ["history", "system"];
  const WHOLE_EVERY = 20;
  const charts = new Map(); // article -> uPlot
  const loaded = new Map(); // stream -> what the last refresh returned
  const waiting = new Set();
  const { api, started } = document.querySelector("main").dataset;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2).replace("e+", "e");
    return String(Number(value.toPrecision(5)));
  };
  // Non-finite numbers are {"_type": "float", ...}: a gap in the line.
  const plain = (value) => (typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null);

  // The x axis of system metrics is time, that of other charts the step or the step metric of the definition.
  const isTimed = (article) => article.dataset.stream === "system";
  const duration = (seconds) => {
    if (seconds < 120) return `${Math.round(seconds)}s`;
    if (seconds < 7200) return `${Number((seconds / 60).toFixed(1))}m`;
    return `${Number((seconds / 3600).toFixed(2))}h`;
  };

  // Values of another series at some steps; between two points of a sample they are interpolated.
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

  // The series of a chart with their positions on the x axis: the step if none of them has values of the step metric.
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
    const format = timed && side === 2 ? duration : number;
    const values = (_, splits) => splits.map((split) => (split === null ? "" : format(split)));
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
        label: one.label, stroke: css(`--c${(index % COLORS) + 1}`), width: 1.4, spanGaps: false,
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
    const label = isTimed(article) ? duration(place) : over ? `${over} ${number(place)}` : `step ${place}`;
    output.replaceChildren(...(hovering ? [`${label}  `, strong] : [strong]));
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
      for (const [name, value] of [["width", 12], ["height", 3], ["rx", 1.5], ["fill", css(`--c${(index % COLORS) + 1}`)]]) bar.setAttribute(name, value);
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

  const keysOf = (articles) => [...new Set(articles.flatMap(({ dataset }) => [dataset.key, dataset.x].filter(Boolean)))].sort();

  // The series of some keys from a step on, and their entity tag; null if the rows are those of the given tag.
  async function request(stream, keys, { from, tag } = {}) {
    const query = new URLSearchParams({ samples: SAMPLES, stream });
    if (from !== undefined) query.set("min_step", from);
    keys.forEach((key) => query.append("keys", key));
    const answer = await fetch(`${api}/series?${query}`, tag ? { headers: { "If-None-Match": tag } } : {});
    if (answer.status === 304) return null;
    if (!answer.ok) throw new Error(`series: ${answer.status}`);
    return { series: (await answer.json()).series, tag: answer.headers.get("ETag") };
  }

  async function load(articles) {
    for (const stream of STREAMS) {
      const wanted = articles.filter((article) => article.dataset.stream === stream);
      if (!wanted.length) continue;
      const { series } = await request(stream, keysOf(wanted));
      wanted.forEach((article) => draw(article, series));
    }
  }

  // Known series, with their points from a step on replaced by the added ones.
  function merge(known, added, from) {
    const name = (one) => JSON.stringify([one.writer, one.key]);
    const rest = new Map(added.map((one) => [name(one), one]));
    const merged = known.map((one) => {
      const more = rest.get(name(one));
      rest.delete(name(one));
      let end = one.steps.length;
      while (end && one.steps[end - 1] >= from) end--;
      const join = (field) => one[field].slice(0, end).concat(more ? more[field] : []);
      return { ...one, steps: join("steps"), times: join("times"), values: join("values") };
    });
    return [...merged, ...rest.values()];
  }

  // Requests only the steps since the last refresh, and everything now and then: late rows, and series that grew too long.
  async function refresh(whole = false) {
    for (const stream of STREAMS) {
      const articles = [...charts.keys()].filter((article) => article.dataset.stream === stream);
      if (!articles.length) continue;
      const keys = keysOf(articles);
      let state = loaded.get(stream);
      if (whole || state?.keys.join("\0") !== keys.join("\0") || state.updates >= WHOLE_EVERY) state = undefined;
      const from = state && Math.max(...state.series.map((one) => one.steps.at(-1) ?? -Infinity));
      const found = await request(stream, keys, Number.isFinite(from) ? { from, tag: state.tag } : {});
      if (!found) continue;
      const series = Number.isFinite(from) ? merge(state.series, found.series, from) : found.series;
      const isLong = series.some((one) => one.steps.length > 2 * SAMPLES);
      loaded.set(stream, { keys, series, tag: found.tag, updates: isLong ? WHOLE_EVERY : (state?.updates ?? 0) + 1 });
      articles.forEach((article) => draw(article, series));
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
  return { watch, refresh };
})();
