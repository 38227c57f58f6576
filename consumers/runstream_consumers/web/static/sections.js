// The sections of charts of a run page: folded, searched, and extended on request.
"use strict";
const Sections = (() => {
  const AT_ONCE = 24;
  const OPEN_CHARTS = 72;
  const main = document.querySelector("main");
  const search = document.getElementById("search");
  const { element } = Charts;
  const articles = new Map(); // stream and key -> article
  const shown = new Map(); // section -> number of charts that are shown at most
  let known = { sections: [], histograms: {} };
  let tag;

  function article(stream, { key, x }) {
    const name = JSON.stringify([stream, key, x]);
    let found = articles.get(name);
    if (!found) {
      const title = element("h3", { title: x ? `${key} over ${x}` : key }, key, ...(x ? [" ", element("small", {}, `over ${x}`)] : []));
      const { [key]: histogram } = stream === "history" ? known.histograms : {};
      if (histogram) title.append(" ", element("small", {}, "latest histogram"));
      found = element("article", { class: "card chart", "data-key": key, "data-stream": stream, "data-x": x },
        element("header", {}, title, element("output", { class: "num" })), element("div", { class: "plot" }));
      articles.set(name, found);
      if (!histogram) Charts.watch(found);
    }
    return found;
  }

  function build(id, { name, stream }) {
    const box = element("details", { class: "group", id },
      element("summary", {}, element("h2", {}, name, " ", element("small", { class: "num" }))),
      element("div", { class: "charts" }), element("details", { class: "further" }, element("summary")));
    box.querySelector(".further").addEventListener("toggle", ({ target }) => {
      if (!target.open) return;
      target.open = false;
      shown.set(id, (shown.get(id) ?? AT_ONCE) + AT_ONCE);
      render();
    });
    // A folded section has no charts.
    box.addEventListener("toggle", ({ target }) => { if (target === box) render(); });
    document.getElementById(stream).append(box);
    return box;
  }

  function fill(box, stream, charts) {
    const wanted = box.open ? charts.slice(0, shown.get(box.id) ?? AT_ONCE).map((chart) => article(stream, chart)) : [];
    const list = box.querySelector(".charts");
    if (wanted.length !== list.children.length || wanted.some((one, index) => one !== list.children[index])) list.replaceChildren(...wanted);
    box.querySelector("h2 small").textContent = charts.length;
    const rest = charts.length - wanted.length;
    const further = box.querySelector(".further");
    further.hidden = !box.open || rest <= 0;
    further.querySelector("summary").textContent = `Show ${Math.min(rest, AT_ONCE)} more of ${charts.length}`;
    if (stream === "history") wanted.forEach((one) => { const { [one.dataset.key]: histogram } = known.histograms; if (histogram) Charts.histogram(one, histogram); });
  }

  function render(words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean), reopen = false) {
    let open = 0;
    for (const section of known.sections) {
      const id = `group-${section.stream}-${section.name}`;
      const charts = section.charts.filter(({ key }) => words.every((word) => key.toLowerCase().includes(word)));
      const existing = document.getElementById(id);
      const box = existing ?? build(id, section);
      if (!existing || reopen) box.open = open < OPEN_CHARTS;
      if (box.open) open += Math.min(charts.length, AT_ONCE);
      box.hidden = !charts.length;
      fill(box, section.stream, charts);
    }
    const none = !known.sections.some(({ stream }) => stream === "history");
    const text = none ? `No metrics${main.dataset.live === "on" ? " yet" : ""}.` : "No key contains these words.";
    document.getElementById("nothing")?.remove();
    if (none || !document.querySelector("#history > details:not([hidden])")) {
      document.getElementById("history").prepend(element("section", { class: "card", id: "nothing" }, element("p", { class: "none" }, text)));
    }
  }

  async function refresh() {
    const answer = await fetch(`${main.dataset.page}/charts`, tag ? { headers: { "If-None-Match": tag } } : {});
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(`charts: ${answer.status}`);
    known = await answer.json();
    tag = answer.headers.get("ETag");
    render();
  }

  if (search) {
    search.hidden = false;
    search.addEventListener("input", () => { render(undefined, true); document.dispatchEvent(new Event("search")); });
  }
  return { refresh };
})();
