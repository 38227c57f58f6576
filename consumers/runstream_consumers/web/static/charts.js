// Draws articles with uPlot, once they are scrolled into view, from the API's series.
"use strict";
const Charts = (() => {
  if (typeof uPlot === "undefined") return { watch: (article) => article.querySelector(".plot").replaceChildren("The chart library is missing; run `make web`."), refresh: async () => {} };
  const SAMPLES = 600;
  const COLORS = 8;
  const LISTED = 64;
  const STREAMS = ["history", "system"];
  const WHOLE_EVERY = 20;
  const charts = new Map(); // article -> uPlot
  const visible = new Set(); // articles in view
  const loaded = new Map(); // stream -> what the last refresh returned
  const zoomed = new Set(); // groups of charts in which a range was selected
  const { api, started } = document.querySelector("main").dataset;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const color = (index) => css(`--c${(index % COLORS) + 1}`);
  // Non-finite numbers are {"_type": "float", ...}: a gap in the line.
  const plain = (value) => (typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : null);
  const element = (name, attributes = {}, ...children) => {
    const made = name.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // The x axis of system metrics is time, that of other charts the step or the step metric of the definition.
  const isTimed = (article) => article.dataset.stream === "system";
  // Charts with the same x axis share the cursor and the zoom.
  const group = (article) => (isTimed(article) ? "time" : article.dataset.over ? `over ${article.dataset.over}` : "step");

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
    const found = series.filter((one) => one.key === article.dataset.key).sort((a, b) => a.label.localeCompare(b.label, "en", { numeric: true }));
    const clock = (time) => Math.max(0, Math.round((time - started) * 10) / 10);
    const { x } = article.dataset;
    const over = x ? series.filter((one) => one.key === x) : [];
    const known = found.map((one) => ({ one, axis: over.find((other) => other.writer === one.writer) })).filter(({ axis }) => axis);
    article.dataset.over = known.length ? x : "";
    if (known.length) return known.map(({ one, axis }) => ({ ...one, places: valuesAt(one.steps, axis) }));
    return found.map((one) => ({ ...one, places: isTimed(article) ? one.times.map(clock) : one.steps }));
  }

  function data(found) {
    const tables = found.map((one) => {
      const points = new Map();
      one.places.forEach((place, index) => { if (place !== null) points.set(place, plain(one.values[index])); });
      const steps = [...points.keys()].sort((a, b) => a - b);
      return [steps, steps.map((step) => points.get(step))];
    });
    return tables.length === 1 ? tables[0] : uPlot.join(tables, tables.map((table) => table.slice(1).map(() => 2)));
  }

  // The finite points that no line reaches, since both neighbors are gaps.
  function isolated(column) {
    const known = [];
    for (let index = 0; index < column.length; index++) if (column[index] !== undefined) known.push(index);
    const isGap = (place) => place < 0 || place >= known.length || column[known[place]] === null;
    return known.filter((index, place) => column[index] !== null && isGap(place - 1) && isGap(place + 1));
  }

  function axis(side, size, timed, incrs, unit = "") {
    const line = { stroke: css("--line"), width: 1 };
    const values = (_, splits, __, ___, difference) => (timed ? splits.map(Formats.duration) : Formats.labels(splits, difference).map((label) => label && label + unit));
    return { side, size, stroke: css("--soft"), font: `11px ${css("--sans")}`, grid: side === 2 ? { show: false } : line,
      ticks: { show: false }, border: { show: side === 2, ...line }, gap: 6, space: side === 2 ? 60 : 34, values, ...(incrs ? { incrs } : {}) };
  }

  function options(article, found) {
    const plot = article.querySelector(".plot");
    const few = found.every((one) => one.steps.length < 40);
    const timed = isTimed(article);
    const incrs = timed ? Formats.SECONDS : article.dataset.over ? undefined : Formats.STEPS;
    const unit = Formats.unit(article.dataset.key);
    const paint = (chart, index) => color(index - 1);
    return {
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: false } }, axes: [axis(2, 26, timed, incrs), axis(3, unit.length > 1 ? 68 : 54, false, undefined, unit)],
      cursor: { sync: { key: group(article), setSeries: false }, points: { size: 6, width: 0, fill: paint, stroke: paint }, drag: { x: true, y: false } },
      series: [{}].concat(found.map((one, index) => ({
        label: one.label, stroke: color(index), width: 1.4, spanGaps: false,
        points: { show: few, size: 4, width: 1, fill: color(index), filter: (chart, number, show) => (show ? null : isolated(chart.data[number])) },
      }))),
      hooks: {
        setCursor: [(chart) => read(article, chart)],
        setSelect: [(chart) => { if (chart.select.width > 0) zoomed.add(group(article)); }],
        ready: [(chart) => chart.over.addEventListener("dblclick", () => zoomed.delete(group(article)))],
      },
    };
  }

  // The heading: the latest value, which may not be finite, or the one under the cursor; with several writers, the list below has them.
  function read(article, chart) {
    const output = article.querySelector("output");
    const index = chart.cursor.idx;
    const hovering = index !== null && index !== undefined;
    const found = chart.found ?? [];
    const raw = (one, number) => {
      if (!hovering) return one.values.at(-1);
      const at = one.places.lastIndexOf(chart.data[0][index]);
      return at < 0 ? chart.data[number + 1][index] : one.values[at];
    };
    const values = found.map(raw);
    const place = hovering && chart.data[0][index];
    const label = !hovering ? "" : isTimed(article) ? Formats.duration(place) : article.dataset.over ? `${article.dataset.over} ${Formats.value(place)}` : `step ${place}`;
    const parts = label ? [`${label}  `] : [];
    if (found.length > 1) parts.push(`${found.length} writers`);
    else if (found.length) parts.push(...heading(found[0], values[0], hovering, Formats.unit(article.dataset.key)));
    output.replaceChildren(...parts);
    article.querySelectorAll(".keys b").forEach((value, number) => { value.textContent = Formats.value(values[number]); });
  }

  function heading(one, value, hovering, unit) {
    const strong = element("b", {}, Formats.value(value) + (typeof value === "number" ? unit : ""));
    if (hovering || plain(value) !== null) return [strong];
    let last = one.values.length;
    while (last && plain(one.values[last - 1]) === null) last--;
    return last ? [strong, element("span", { title: `at step ${one.steps[last - 1]}` }, ` last finite ${Formats.value(one.values[last - 1])}`)] : [strong];
  }

  function keys(article, found) {
    article.querySelector(".keys")?.remove();
    if (found.length < 2) return;
    const entries = found.slice(0, LISTED).map((one, index) => element("span", {},
      element("svg:svg", {}, element("svg:rect", { width: 12, height: 3, rx: 1.5, fill: color(index) })), one.label, element("b", { class: "num" })));
    if (found.length > LISTED) entries.push(element("span", {}, `and ${found.length - LISTED} more`));
    article.append(element("div", { class: "keys", tabindex: 0 }, ...entries));
  }

  function draw(article, series) {
    const plot = article.querySelector(".plot");
    const old = charts.get(article);
    const found = placed(article, series);
    const hasPoints = found.some((one) => one.values.some((value) => plain(value) !== null));
    const shape = [article.dataset.over, ...found.map((one) => one.writer)].join();
    plot.classList.toggle("empty", !hasPoints);
    const range = old && zoomed.has(group(article)) ? { min: old.scales.x.min, max: old.scales.x.max } : undefined;
    if (hasPoints && old && article.dataset.shape === shape) {
      old.found = found;
      old.batch(() => {
        old.setData(data(found), !range);
        if (range) old.setScale("x", range);
      });
      return read(article, old);
    }
    old?.destroy();
    charts.delete(article);
    plot.textContent = hasPoints ? "" : found.length ? "No finite numbers yet" : "No numbers yet";
    article.querySelector("output").replaceChildren(...(found.length === 1 ? heading(found[0], found[0].values.at(-1), false, "") : []));
    if (!hasPoints) return undefined;
    article.dataset.shape = shape;
    keys(article, found);
    const chart = new uPlot(options(article, found), data(found), plot);
    if (range) chart.setScale("x", range);
    chart.found = found;
    charts.set(article, chart);
    return read(article, chart);
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

  // Of the charts in view, requests only the steps since the last refresh, and everything now and then: late rows, and series that grew too long.
  async function refresh(whole = false) {
    for (const stream of STREAMS) {
      const articles = [...visible].filter((article) => article.dataset.stream === stream);
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

  // Articles that come into view are loaded, again if the run went on in the meantime.
  const seen = new IntersectionObserver((entries) => {
    entries.filter((entry) => !entry.isIntersecting).forEach((entry) => visible.delete(entry.target));
    const now = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    now.forEach((article) => visible.add(article));
    const isLive = document.querySelector("main").dataset.live === "on";
    const wanted = now.filter((article) => isLive || !charts.has(article));
    if (wanted.length) load(wanted).catch(() => wanted.forEach((article) => { seen.unobserve(article); setTimeout(() => seen.observe(article), 3000); }));
  }, { rootMargin: "300px" });
  const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const chart = charts.get(target.parentElement);
    if (chart && target.clientWidth) chart.setSize({ width: target.clientWidth, height: target.clientHeight });
  }));

  function watch(article) {
    seen.observe(article);
    sized.observe(article.querySelector(".plot"));
  }

  // A histogram: a bar for each bin, as wide as the bin.
  function histogram(article, { edges, counts, text }) {
    const [width, height, most] = [300, 150, Math.max(...counts) || 1];
    const scale = width / (edges.at(-1) - edges[0] || 1);
    const bars = counts.map((count, index) => element("svg:rect", {
      x: (edges[index] - edges[0]) * scale, y: height * (1 - count / most), height: height * count / most,
      width: Math.max((edges[index + 1] - edges[index]) * scale - 1, 0.5) }, element("svg:title", {}, `${Formats.value(edges[index])} to ${Formats.value(edges[index + 1])}: ${Formats.value(count)}`)));
    const ends = element("p", { class: "ends num" }, element("span", {}, Formats.value(edges[0])), element("span", {}, Formats.value(edges.at(-1))));
    article.querySelector(".plot").replaceChildren(element("svg:svg", { class: "histogram", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": text }, ...bars), ends);
    article.querySelector("output").replaceChildren(`${Formats.value(counts.reduce((sum, count) => sum + count, 0))} values`);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    const drawn = [...charts.keys()];
    drawn.forEach((article) => { charts.get(article).destroy(); charts.delete(article); delete article.dataset.shape; });
    load(drawn.filter((article) => visible.has(article))).catch(() => {});
  });
  return { watch, refresh, histogram, element };
})();
