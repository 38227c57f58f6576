// Custom charts: Vega-Lite specifications that the server makes, drawn without eval and without requests.
"use strict";
const Plots = (() => {
  const { element } = Charts;
  const { page } = document.querySelector("main").dataset;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const refused = { load: () => Promise.reject(new Error("not allowed")), sanitize: () => Promise.reject(new Error("not allowed")) };

  function theme() {
    const soft = { labelColor: css("--soft"), titleColor: css("--soft"), gridColor: css("--line"), domainColor: css("--line"), tickColor: css("--line") };
    return { background: "transparent", font: css("--sans"), title: { color: css("--ink"), fontSize: 12 }, view: { stroke: null }, axis: soft, legend: soft,
      range: { category: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => css(`--c${number}`)) }, mark: { color: css("--c1") } };
  }

  async function draw(stage, key) {
    if (typeof vega === "undefined" || typeof vegaLite === "undefined") return stage.replaceChildren("The chart library is missing; run `make web`.");
    const answer = await fetch(`${page}/media/plot?${new URLSearchParams({ key })}`);
    const found = await answer.json();
    if (!answer.ok) return stage.replaceChildren(MediaItems.absent({ state: found.error?.code === "not_uploaded" ? "uploading" : "", reason: found.error?.message }));
    // Non-finite numbers are {"_type": "float", ...}: they are not drawn.
    const plain = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value?._type === "float" ? null : value]));
    const place = element("div", { class: "vega" });
    stage.replaceChildren(place);
    const spec = { autosize: { type: "fit", contains: "padding" }, ...found.spec, width: Math.max(place.clientWidth, 240), height: 260, datasets: { table: found.rows.map(plain) } };
    const compiled = vegaLite.compile(spec, { config: theme() }).spec;
    const view = new vega.View(vega.parse(compiled, null, { ast: true }), { expr: vega.expressionInterpreter, loader: refused, renderer: "canvas", container: place, hover: true });
    await view.runAsync();
    new ResizeObserver(() => { if (Math.abs(view.width() - place.clientWidth) > 1 && place.clientWidth) view.width(place.clientWidth).runAsync(); }).observe(place);
    if (found.partial) stage.append(element("p", { class: "faint" }, `The first ${found.rows.length} rows of the table`));
    return view;
  }

  return { draw };
})();
