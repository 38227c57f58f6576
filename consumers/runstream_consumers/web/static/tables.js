// Tables: a page of rows at a time, sorted and paged by the server.
"use strict";
const Tables = (() => {
  const { element } = Charts;
  const { page } = document.querySelector("main").dataset;
  const ROWS = 10;

  function text(cell) {
    if (cell === null || cell === undefined) return "";
    if (typeof cell === "number" || cell?._type === "float") return Formats.value(cell);
    return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
  }

  // A histogram in a cell; undefined if its form is not known.
  function histogram({ _type: type, values: counts, bins, packedBins }) {
    if (type !== "histogram" || !Array.isArray(counts)) return undefined;
    const edges = bins ?? [...counts, 0].map((_, number) => packedBins?.min + number * packedBins?.size);
    if (edges.length !== counts.length + 1 || ![...counts, ...edges].every(Number.isFinite)) return undefined;
    const box = element("div", {}, element("div", { class: "plot" }), element("output", { class: "faint num" }));
    Charts.histogram(box, { edges, counts, text: "Histogram" });
    return element("td", {}, box);
  }

  function cell(value) {
    const drawn = histogram(value ?? {});
    if (drawn) return drawn;
    if (value?.media) return element("td", {}, ...value.media.items.map((item) => MediaItems.figure(value.media.kind, item, value.states)));
    const shown = text(value);
    return element("td", { ...(typeof value === "number" ? { class: "num right" } : {}), title: shown.slice(0, 2000) }, shown.length > 300 ? `${shown.slice(0, 300)}…` : shown);
  }

  function table(item) {
    const state = { offset: 0, order: null, descending: false };
    const body = element("div", { class: "table" }, element("p", { class: "none" }, "Loading…"));
    const count = element("span", { class: "faint num" });
    const [back, next] = ["‹", "›"].map((sign) => element("button", { type: "button" }, sign));
    back.setAttribute("aria-label", "Previous rows");
    next.setAttribute("aria-label", "Next rows");
    const box = element("div", { class: "rows" }, body, element("footer", {}, back, count, next, MediaItems.link(item.path, "Download")));

    async function show() {
      const query = new URLSearchParams({ file: item.path, offset: state.offset, limit: ROWS });
      if (item.increment) query.set("increments", item.increment + 1);
      if (state.order !== null) { query.set("order", state.order); query.set("descending", state.descending); }
      const answer = await fetch(`${page}/media/table?${query}`);
      const found = await answer.json();
      if (!answer.ok) return body.replaceChildren(MediaItems.absent({ reason: found.error?.message ?? `The server returned ${answer.status}.` }));
      const heads = found.columns.map((column, number) => {
        const sign = state.order === number ? (state.descending ? " ↓" : " ↑") : "";
        const button = element("button", { type: "button", title: `Sort by ${column}` }, column + sign);
        button.addEventListener("click", () => {
          Object.assign(state, { offset: 0, descending: state.order === number && !state.descending, order: number });
          show();
        });
        const isNumeric = found.rows.some((row) => typeof row[number] === "number");
        return element("th", isNumeric ? { class: "right" } : {}, button);
      });
      body.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)),
        element("tbody", {}, ...found.rows.map((row) => element("tr", {}, ...row.map(cell))))));
      const rows = Math.max(item.rows ?? 0, found.counted);
      count.textContent = found.rows.length ? `${state.offset + 1}–${state.offset + found.rows.length} of ${found.whole ? found.counted : `${rows}${item.rows ? "" : "+"}`}` : "No rows";
      if (state.order !== null && !found.whole) count.textContent += `, sorted among the first ${found.counted}`;
      back.disabled = state.offset === 0;
      next.disabled = state.offset + found.rows.length >= found.counted;
      return box;
    }
    back.addEventListener("click", () => { state.offset = Math.max(0, state.offset - ROWS); show(); });
    next.addEventListener("click", () => { state.offset += ROWS; show(); });
    show();
    return box;
  }

  return { table };
})();
