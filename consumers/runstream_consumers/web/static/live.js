// Keeps a page of a running run fresh: fetches the page again, takes over the parts that changed, and the new points.
"use strict";
(() => {
  const EVERY_MS = 3000;
  const LONGEST_MS = 30000;
  const light = document.getElementById("live");
  let pause = EVERY_MS;

  // The server escapes; nodes are moved as nodes, never as text that is parsed as a page.
  function take(fresh, id) {
    const [mine, theirs] = [document.getElementById(id), fresh.getElementById(id)];
    if (!mine || !theirs || mine.isEqualNode(theirs)) return;
    const open = mine.open;
    const scroller = mine.querySelector("pre, dl");
    const bottom = scroller && scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24;
    const top = scroller?.scrollTop ?? 0;
    const node = document.adoptNode(theirs);
    if (open !== undefined) node.open = open;
    mine.replaceWith(node);
    const replaced = node.querySelector("pre, dl");
    if (replaced) replaced.scrollTop = bottom && replaced.tagName === "PRE" ? replaced.scrollHeight : top;
  }

  // A chart keeps its node; only those of new metrics are taken over.
  function takeCharts(fresh) {
    for (const section of [...fresh.querySelectorAll("section[id^='group-']")]) {
      const mine = document.getElementById(section.id);
      const known = new Set([...(mine?.querySelectorAll("article") ?? [])].map((article) => article.dataset.key));
      const added = [...section.querySelectorAll("article")].filter((article) => !known.has(article.dataset.key));
      if (!added.length) continue;
      if (mine) mine.querySelector(".charts").append(...added.map((article) => document.adoptNode(article)));
      else document.getElementById("console").before(document.adoptNode(section));
      added.forEach(Charts.watch);
      document.getElementById("nothing")?.remove();
    }
  }

  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`page: ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    ["header", "alerts", "summary", "config", "delivery", "metadata", "console", "runs"].forEach((id) => take(fresh, id));
    document.title = fresh.title;
    if (typeof Charts !== "undefined") {
      takeCharts(fresh);
      await Charts.refresh();
    }
    return fresh.querySelector("main").dataset.live === "on";
  }

  async function turn() {
    if (document.hidden) return setTimeout(turn, pause);
    try {
      const more = await refresh();
      light.classList.toggle("on", more);
      light.classList.remove("lost");
      light.textContent = "live";
      pause = EVERY_MS;
      return more ? setTimeout(turn, pause) : undefined;
    } catch {
      light.classList.add("lost");
      light.textContent = "no connection, trying again";
      pause = Math.min(pause * 2, LONGEST_MS);
      return setTimeout(turn, pause);
    }
  }

  document.querySelectorAll(".console pre").forEach((pre) => { pre.scrollTop = pre.scrollHeight; });
  if (document.querySelector("main").dataset.live === "on") {
    light.classList.add("on");
    setTimeout(turn, EVERY_MS);
  }
})();
