// Keeps a page up to date: fetches what may have changed, and replaces only the parts that did.
"use strict";
(() => {
  const EVERY_MS = 3000;
  const QUIET_MS = 15000;
  const LONGEST_MS = 30000;
  const light = document.getElementById("live");
  const main = document.querySelector("main");
  const isRun = typeof Sections !== "undefined";
  const tags = new Map(); // URL -> entity tag of the last response
  let pause = EVERY_MS;
  let timer;

  // Nodes are moved as nodes, so that no text is parsed as HTML again.
  function replace(fresh, id) {
    const [current, updated] = [document.getElementById(id), fresh.getElementById(id)];
    if (!current || !updated) return;
    const node = document.adoptNode(updated);
    // What the reader has folded or unfolded stays so, unless the default changed.
    for (const fold of [node, ...node.querySelectorAll("details[id]")].filter((one) => one.matches("details"))) {
      const before = [current, ...current.querySelectorAll("details[id]")].find((one) => one.id === fold.id);
      if (before && before.dataset.default === fold.dataset.default) fold.open = before.open;
    }
    if (current.isEqualNode(node)) return;
    const scroller = current.querySelector("pre, dl");
    const bottom = scroller && scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24;
    const top = scroller?.scrollTop ?? 0;
    current.replaceWith(node);
    const replaced = node.querySelector("pre, dl");
    if (replaced) replaced.scrollTop = bottom && replaced.tagName === "PRE" ? replaced.scrollHeight : top;
  }

  // The document at a URL, or null if it is the one that was fetched last.
  async function fetchChanged(url) {
    const tag = tags.get(url);
    const answer = await fetch(url, { headers: { Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) } });
    if (answer.status === 304) return null;
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    tags.clear(); // of another search
    if (answer.headers.get("ETag")) tags.set(url, answer.headers.get("ETag"));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  function address() {
    const url = new URL(location.href);
    url.hash = "";
    if (isRun) {
      url.searchParams.set("parts", "true");
      const words = document.getElementById("search")?.value;
      if (words) url.searchParams.set("search", words);
    }
    return url.href;
  }

  async function refreshPage() {
    const fresh = await fetchChanged(address());
    if (fresh) {
      ["header", "alerts", "summary", "config", "delivery", "invalid", "metadata", "runs", "count"].forEach((id) => replace(fresh, id));
      document.title = fresh.title;
      main.dataset.live = fresh.querySelector("main").dataset.live;
    }
    return main.dataset.live === "on";
  }

  async function refresh() {
    const wasLive = main.dataset.live === "on";
    const isLive = await refreshPage();
    if (isRun) {
      await Sections.refresh();
      await Media.refresh();
      await Charts.refresh(wasLive && !isLive);
      const answer = await fetch(`${main.dataset.page}/console?fragment=true${document.body.classList.contains("embed") ? "&embed=true" : ""}`, consoleTag ? { headers: { "If-None-Match": consoleTag } } : {});
      if (answer.ok) {
        consoleTag = answer.headers.get("ETag");
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"), "console");
      }
    }
    return isLive;
  }
  let consoleTag;

  async function update() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const isLive = await refresh();
        light.classList.toggle("on", isLive);
        light.classList.remove("lost");
        light.textContent = "live";
        pause = isLive ? EVERY_MS : QUIET_MS;
      } catch {
        light.classList.add("on", "lost");
        light.textContent = "no connection, retrying";
        pause = Math.min(pause * 2, LONGEST_MS);
      }
    }
    timer = setTimeout(update, pause);
  }

  document.querySelectorAll(".console pre").forEach((pre) => { pre.scrollTop = pre.scrollHeight; });
  let typed;
  document.addEventListener("search", () => { clearTimeout(typed); typed = setTimeout(() => refreshPage().catch(() => {}), 300); });
  const isLive = main.dataset.live === "on";
  light.classList.toggle("on", isLive);
  if (isRun) [Sections, Media].forEach((part) => part.refresh().catch(() => {}));
  timer = setTimeout(update, isLive ? EVERY_MS : QUIET_MS);
})();
