// The media of a run page: a panel for each key, with a slider over the steps at which it was logged.
"use strict";
const Media = (() => {
  const { element } = Charts;
  const main = document.querySelector("main");
  const { page } = main.dataset;
  const box = document.getElementById("media");
  const panels = new Map(); // kind and key -> panel
  // Kinds that cost a lot to show: while the slider moves, only the step is shown.
  const SLOW = new Set(["plotly", "object3d", "html", "table", "video", "text"]);
  let tag;

  function label(panel, index) {
    const { step } = panel.steps[index];
    panel.output.textContent = panel.steps.length > 1 ? `step ${step} · ${index + 1} of ${panel.steps.length}` : `step ${step}`;
  }

  function show(panel, index) {
    const { media, states } = panel.steps[index];
    panel.at = index;
    label(panel, index);
    const rest = media.count - media.items.length;
    panel.stage.replaceChildren(...media.items.map((item) => MediaItems.figure(media.kind, item, states)), ...(rest > 0 ? [element("p", { class: "faint" }, `and ${rest} more`)] : []));
    panel.slider.hidden = panel.steps.length < 2;
    panel.slider.max = panel.steps.length - 1;
    panel.slider.value = index;
  }

  async function load(panel) {
    if (panel.kind === "plot") return Plots.draw(panel.stage, panel.key);
    const answer = await fetch(`${page}/media/steps?${new URLSearchParams({ key: panel.key })}`);
    if (!answer.ok) throw new Error(`media: ${answer.status}`);
    const { steps } = await answer.json();
    const wasLast = !panel.steps || panel.at === panel.steps.length - 1;
    panel.steps = steps;
    if (steps.length) show(panel, wasLast ? steps.length - 1 : Math.min(panel.at, steps.length - 1));
    else panel.stage.replaceChildren(element("p", { class: "absent" }, "Not logged at a step"));
    // What is being uploaded is asked for again with the next refresh.
    panel.isComplete = steps.every(({ states }) => Object.values(states).every(({ state }) => state !== "uploading"));
    return panel;
  }

  // Panels are filled when they come into view, and again if something was logged in the meantime.
  const seen = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    const panel = [...panels.values()].find(({ article }) => article === target);
    panel.isVisible = isIntersecting;
    if (isIntersecting) fill(panel);
  }), { rootMargin: "300px" });

  function fill(panel) {
    if (!panel.isVisible || (panel.loaded === panel.version && panel.isComplete !== false)) return;
    panel.loaded = panel.version;
    load(panel).catch(() => { panel.loaded = undefined; });
  }

  function build({ key, kind }) {
    const [stage, output, slider] = [element("div", { class: "stage" }), element("output", { class: "num" }), element("input", { type: "range", min: 0, step: 1, "aria-label": `Step of ${key}` })];
    slider.hidden = true;
    const article = element("article", { class: `card chart media kind-${kind}`, "data-media": key }, element("header", {}, element("h3", { title: key }, key), output), stage, slider);
    const panel = { key, kind, article, stage, output, slider };
    slider.addEventListener("input", () => (SLOW.has(kind) ? label : show)(panel, Number(slider.value)));
    if (SLOW.has(kind)) slider.addEventListener("change", () => show(panel, Number(slider.value)));
    seen.observe(article);
    return panel;
  }

  const words = () => (document.getElementById("search")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);

  function filter() {
    let count = 0;
    for (const { article, key } of panels.values()) {
      article.hidden = !words().every((word) => key.toLowerCase().includes(word));
      count += !article.hidden;
    }
    box.hidden = !count;
    box.querySelector("small").textContent = count;
  }

  async function refresh() {
    const answer = await fetch(`${page}/media`, tag ? { headers: { "If-None-Match": tag } } : {});
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(`media: ${answer.status}`);
      tag = answer.headers.get("ETag");
      for (const found of (await answer.json()).panels) {
        const name = JSON.stringify([found.kind, found.key]);
        if (!panels.has(name)) {
          panels.set(name, build(found));
          box.querySelector(".charts").append(panels.get(name).article);
        }
        panels.get(name).version = found.version;
      }
      filter();
    }
    panels.forEach(fill);
  }

  document.getElementById("search")?.addEventListener("input", filter);
  return { refresh };
})();
