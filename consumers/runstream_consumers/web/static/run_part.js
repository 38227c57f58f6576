// Fills the pages of a run's files and artifacts.
"use strict";
(() => {
  const { element, size, path, get, problem } = Elements;
  const main = document.querySelector("main");
  const { part, api } = main.dataset;
  const content = document.getElementById("content");
  const PAGE = 1000;
  const AT_ONCE = 5000;

  const none = (text) => element("p", { class: "card none absent" }, text);

  async function files(most = AT_ONCE) {
    const pattern = document.getElementById("pattern").value.trim();
    const found = [];
    let next;
    do {
      const query = new URLSearchParams({ limit: PAGE, ...(pattern ? { pattern: /[%_]/.test(pattern) ? pattern : `%${pattern}%` } : {}), ...(next ? { after: next } : {}) });
      const page = await get(`${api}/files?${query}`);
      found.push(...page.files);
      ({ next } = page);
    } while (next && found.length < most);
    if (!found.length) return content.replaceChildren(none(pattern ? "No name matches." : "No files."));
    const bytes = found.reduce((sum, file) => sum + (file.size ?? 0), 0);
    const title = element("h2", {}, "Files ", element("small", { class: "num" }, `${found.length}${next ? "+" : ""} · ${size(bytes)}`));
    const shown = found.map((file) => ({ path: file.name, href: `${api}/files/${path(file.name)}`, bytes: file.size, state: file.state, reason: file.reason }));
    const lost = shown.filter(({ state }) => state === "dropped");
    const losses = lost.length ? [element("section", {}, element("h2", {}, "Lost ", element("small", { class: "num" }, lost.length)), FileTree.lost(lost))] : [];
    return content.replaceChildren(...losses, element("section", {}, title, FileTree.tree(shown.filter(({ state }) => state !== "dropped"), Boolean(next))), ...(next ? [more(found.length)] : []));
  }

  function more(count) {
    const button = element("button", { type: "button", class: "link" }, "list more");
    button.addEventListener("click", () => { button.disabled = true; show(count + AT_ONCE); });
    return element("p", { class: "card none absent" }, `The first ${count} files are listed: search for others, or `, button);
  }

  async function all(query) {
    const found = [];
    let after;
    do {
      const page = await get(`${api}/artifacts?${new URLSearchParams({ ...query, limit: 500, ...(after ? { after } : {}) })}`);
      found.push(...page.artifacts);
      after = page.next;
    } while (after && found.length < AT_ONCE);
    return found;
  }

  async function artifacts() {
    const [logged, used, { losses }] = await Promise.all([...["logged", "used"].map((direction) => all({ direction })), get(api)]);
    const lost = losses.filter(({ topic }) => topic === "artifact").map(({ count, reason }) => element("li", {}, `Lost ${count}: ${reason}`));
    const section = (text, found, nothing) => element("section", {}, element("h2", {}, `${text} `, element("small", { class: "num" }, found.length)), found.length ? ArtifactTables.versions(found) : none(nothing));
    content.replaceChildren(...(lost.length ? [element("ul", { class: "losses", role: "alert" }, ...lost)] : []), section("Logged", logged, "This run logged no artifacts."), section("Used", used, "This run used no artifacts."));
  }

  const show = (most) => (part === "files" ? files(most) : artifacts()).catch((error) => content.replaceChildren(problem(error)));
  let typed;
  document.getElementById("pattern")?.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(() => show(), 250); });
  show();
})();
