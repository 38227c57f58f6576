// Fills the page of an artifact version, or of a project's collections.
"use strict";
(() => {
  const { element, size, time, path, get, problem } = Elements;
  const { page, runLink, chips, table, versions } = ArtifactTables;
  const { project, artifact } = document.querySelector("main").dataset;
  const content = document.getElementById("content");
  const section = (text, count, ...parts) => element("section", {}, element("h2", {}, `${text} `, element("small", { class: "num" }, count ?? "")), ...parts);
  const none = (text) => element("p", { class: "card none absent" }, text);

  function pairs(value, prefix = "") {
    return Object.entries(value).flatMap(([key, below]) => (below !== null && typeof below === "object" && !Array.isArray(below) && Object.keys(below).length
      ? pairs(below, `${prefix}${key}.`) : [[prefix + key, typeof below === "string" ? below : JSON.stringify(below)]]));
  }

  // All pages of a list, up to a limit.
  async function all(url, field, most = 1000) {
    const found = [];
    let after;
    do {
      const page = await get(`${url}?${new URLSearchParams({ limit: 500, ...(after ? { after } : {}) })}`);
      found.push(...page[field]);
      after = page.next;
    } while (after && found.length < most);
    return found;
  }

  async function collections() {
    const found = await all(`/api/v1/artifact-collections${project}`, "collections");
    if (!found.length) return content.replaceChildren(none("This project has no artifacts yet."));
    const types = [...new Set(found.map(({ type }) => type))].sort();
    return content.replaceChildren(...types.map((type) => {
      const shown = found.filter((one) => one.type === type);
      return section(type, shown.length, table([["Name", "name"], ["Aliases", ""], ["Versions", "right num"], ["Updated", "soft"], ["Description", "soft value"]], shown.map((one) => [
        element("span", {}, element("a", { href: page(one) }, one.name), one.portfolio ? element("small", {}, "links") : null),
        chips(Object.entries(one.aliases).slice(0, 8).map(([alias, number]) => `${alias} → v${number}`)), one.versions, time(one.updated_at), one.description])));
    }));
  }

  function facts(found) {
    const items = [["type", found.type], ["files", found.file_count], ["size", size(found.size)], ["created", time(found.created_at)],
      ["expires", found.expires_at && time(found.expires_at)], ["use", element("code", {}, `run.use_artifact(${JSON.stringify(`${found.project}/${found.name}:v${found.version}`)})`)], ["digest", element("span", { class: "mono", title: found.digest }, String(found.digest).slice(0, 16))]];
    return element("p", { class: "facts" }, ...items.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
  }

  function filesOf(base, manifest) {
    const entries = Object.entries(manifest.entries);
    const shown = entries.map(([name, entry]) => ({ path: name, href: `${base}/files/${path(name)}`, bytes: entry.size, ref: entry.ref }));
    return section("Files", entries.length, entries.length ? FileTree.tree(shown) : none("This version has no files."));
  }

  async function lineage(base) {
    const [makers, users] = await Promise.all([get(`${base}/logged-by?limit=200`), get(`${base}/used-by?limit=200`)]);
    const names = ({ runs }) => [...new Set(runs.map((one) => `${one.entity}/${one.project}/${one.run_id ?? one.run}`))];
    const box = (runs, nothing) => element("span", { class: "group-of" }, ...(runs.length ? runs.map(runLink) : [element("span", { class: "faint" }, nothing)]));
    return section("Lineage", "", element("div", { class: "card lineage" }, box(names(makers), "logged by no run"), element("span", { class: "arrow" }, "→"),
      element("b", {}, "this version"), element("span", { class: "arrow" }, "→"), box(names(users), "used by no run")));
  }

  async function version() {
    const base = `/api/v1/artifacts${project}/${artifact}`;
    const found = await get(base);
    document.getElementById("version").replaceChildren(element("span", { class: "chip" }, `v${found.version}`), " ", chips(found.aliases ?? [], found.tags ?? []));
    if (found.state === "deleted") return content.replaceChildren(none("This version was deleted."));
    const metadata = pairs(found.metadata ?? {});
    const parts = [facts(found)];
    if (found.source) parts.push(element("p", { class: "facts" }, element("span", {}, "a link to ", element("a", { href: page(found.source) }, `${found.source.entity}/${found.source.project}/${found.source.name}:v${found.source.version}`))));
    if (found.links.length) parts.push(element("p", { class: "facts" }, element("span", {}, "linked to ", ...found.links.flatMap((one) => [element("a", { href: page(one) }, `${one.project}/${one.name}:v${one.version}`), " "]))));
    if (found.description) parts.push(element("p", { class: "notes" }, found.description));
    content.replaceChildren(...parts);
    const rest = await Promise.all([
      get(`${base}/manifest`).then((manifest) => filesOf(base, manifest)),
      lineage(base),
      all(`/api/v1/artifact-versions${project}/${encodeURIComponent(found.name)}`, "artifacts").then((listed) => section("Versions", listed.length, versions(listed))),
    ].map((part) => part.catch(problem)));
    if (metadata.length) rest.splice(1, 0, section("Metadata", metadata.length, element("dl", { class: "card" }, ...metadata.map(([key, text]) => element("div", {}, element("dt", {}, key), element("dd", { title: text }, text))))));
    return content.append(...rest);
  }

  (artifact ? version() : collections()).catch((error) => content.replaceChildren(problem(error)));
})();
