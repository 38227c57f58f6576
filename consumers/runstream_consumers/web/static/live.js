// Updates the page of a running run: fetches the page, replaces the parts that changed, and adds new points to the charts.
"use strict";
(() => {
  const EVERY_MS = 3000;
  const LONGEST_MS = 30000;
  const light = document.getElementById("live");
  let pause = EVERY_MS;

  // Nodes are moved as nodes, so that no text is parsed as HTML again.
  function replace(fresh, id) {
    const [current, updated] = [document.getElementById(id), fresh.getElementById(id)];
    if (!current || !updated || current.isEqualNode(updated)) return;
    const open = current.open;
    const scroller = current.querySelector("pre, dl");
    const bottom = scroller && scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24;
    const top = scroller?.scrollTop ?? 0;
    const node = document.adoptNode(updated);
    if (open !== undefined) node.open = open;
    current.replaceWith(node);
    const replaced = node.querySelector("pre, dl");
    if (replaced) replaced.scrollTop = bottom && replaced.tagName === "PRE" ? replaced.scrollHeight : top;
  }

  // Charts keep their nodes; only those of new metrics are added.
  function addCharts(fresh) {
    for (const section of [...fresh.querySelectorAll("section[id^='group-']")]) {
      const current = document.getElementById(section.id);
      const known = new Set([...(current?.querySelectorAll("article") ?? [])].map((article) => article.dataset.key));
      const added = [...section.querySelectorAll("article")].filter((article) => !known.has(article.dataset.key));
      if (!added.length) continue;
      if (current) current.querySelector(".charts").append(...added.map((article) => document.adoptNode(article)));
      else document.getElementById("console").before(document.adoptNode(section));
      added.forEach(Charts.watch);
      document.getElementById("nothing")?.remove();
    }
  }

  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`page: ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    ["header", "failure", "alerts", "summary", "config", "delivery", "metadata", "console", "runs"].forEach((id) => replace(fresh, id));
    document.title = fresh.title;
    const isLive = fresh.querySelector("main").dataset.live === "on";
    if (typeof Charts !== "undefined") {
      addCharts(fresh);
      await Charts.refresh(!isLive);
    }
    return isLive;
  }

  async function update() {
    if (document.hidden) return setTimeout(update, pause);
    try {
      const more = await refresh();
      light.classList.toggle("on", more);
      light.classList.remove("lost");
      light.textContent = "live";
      pause = EVERY_MS;
      return more ? setTimeout(update, pause) : undefined;
    } catch {
      light.classList.add("lost");
      light.textContent = "no connection, retrying";
      pause = Math.min(pause * 2, LONGEST_MS);
      return setTimeout(update, pause);
    }
  }

  document.querySelectorAll(".console pre").forEach((pre) => { pre.scrollTop = pre.scrollHeight; });
  if (document.querySelector("main").dataset.live === "on") {
    light.classList.add("on");
    setTimeout(update, EVERY_MS);
  }
})();
