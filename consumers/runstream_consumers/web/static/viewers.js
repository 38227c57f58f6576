// Plotly figures and 3D models, each drawn in a frame of its own origin, whose libraries are loaded only there; texts.
"use strict";
const Viewers = (() => {
  const { element } = Charts;
  const MOST_BYTES = 100e6;
  const TEXT_BYTES = 4000;
  const [LEAST_HEIGHT, MOST_HEIGHT] = [160, 1000];

  async function content(url, most = MOST_BYTES) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(answer.status === 410 ? "its content is missing in the object store" : `the server returned ${answer.status}`);
    if (Number(answer.headers.get("Content-Length")) > most) throw new Error("it is too large");
    return answer;
  }

  // The frame asks for its content once it has loaded; `read` returns the message with it.
  function frame(document, title, read) {
    const shown = element("iframe", { src: `/static/frames/${document}.html`, sandbox: "allow-scripts", loading: "lazy", title });
    const fail = (text) => shown.replaceWith(element("p", { class: "absent" }, `Cannot be shown: ${text}`));
    function listen({ source, data }) {
      if (!shown.isConnected && source === null) return removeEventListener("message", listen);
      if (source !== shown.contentWindow || typeof data !== "object") return undefined;
      if (data.error) return fail(String(data.error).slice(0, 300));
      if (Number.isFinite(data.height)) shown.style.height = `${Math.min(Math.max(data.height, LEAST_HEIGHT), MOST_HEIGHT)}px`;
      if (data.ready) return read().then(({ message, moved = [] }) => shown.contentWindow?.postMessage(message, "*", moved)).catch((error) => fail(error.message));
      if (data.shown) shown.classList.add("shown");
      return undefined;
    }
    addEventListener("message", listen);
    return shown;
  }

  const plotly = (url, title) => frame("plotly", title, async () => ({ message: { text: await (await content(url)).text() } }));

  const model = (url, kind, title) => frame("model", title, async () => {
    const bytes = await (await content(url)).arrayBuffer();
    return { message: { kind, bytes }, moved: [bytes] };
  });

  // The beginning of a long text.
  function text(url) {
    const shown = element("pre", { class: "text", tabindex: "0" }, "Loading…");
    fetch(url, { headers: { Range: `bytes=0-${TEXT_BYTES - 1}` } }).then(async (answer) => {
      if (!answer.ok) throw new Error(`the server returned ${answer.status}`);
      const whole = Number((answer.headers.get("Content-Range") ?? "").split("/")[1] ?? 0) || 0;
      shown.textContent = (await answer.text()) + (whole > TEXT_BYTES ? "…" : "");
    }).catch((error) => shown.replaceWith(element("p", { class: "absent" }, `Cannot be shown: ${error.message}`)));
    return shown;
  }

  return { plotly, model, text };
})();
