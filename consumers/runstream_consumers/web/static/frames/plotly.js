// Draws the Plotly figure that the page sends. This document has an origin of its own and can send no requests.
"use strict";
(() => {
  const place = document.getElementById("figure");
  const answer = (message) => parent.postMessage(message, "*");

  addEventListener("message", async ({ source, data }) => {
    if (source !== parent || typeof data?.text !== "string") return;
    try {
      const { data: traces, layout = {}, frames } = JSON.parse(data.text);
      const { width, height, ...rest } = layout ?? {};
      answer({ height: Number.isFinite(height) ? height : 420 });
      place.replaceChildren();
      await Plotly.newPlot(place, { data: traces ?? [], layout: { ...rest, autosize: true }, frames, config: { responsive: true, displaylogo: false } });
      answer({ shown: true });
    } catch (error) {
      answer({ error: error.message });
    }
  });
  answer(typeof Plotly === "undefined" ? { error: "The chart library is missing; run `make web`." } : { ready: true });
})();
