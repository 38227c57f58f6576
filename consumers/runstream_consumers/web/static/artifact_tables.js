// Tables of artifact versions and collections, and the addresses of their pages.
"use strict";
const ArtifactTables = (() => {
  const { element, size, time } = Elements;
  const page = ({ entity, project, name, version }) => `/${[entity, project].map(encodeURIComponent).join("/")}/artifacts/${encodeURIComponent(name)}${version === undefined || version === null ? "" : `/v${version}`}`;
  const runPage = (path) => { const [entity, project, run] = path.split("/"); return `/${encodeURIComponent(entity)}/${encodeURIComponent(project)}/runs/${encodeURIComponent(run)}`; };
  const chips = (aliases, tags = []) => element("span", {}, ...aliases.flatMap((name) => [element("span", { class: "chip chosen", title: "alias" }, name), " "]), ...tags.flatMap((name) => [element("span", { class: "chip", title: "tag" }, name), " "]));
  const runLink = (path) => element("a", { class: "mono chip", href: runPage(path) }, path.split("/").slice(1).join("/"));

  function table(heads, rows) {
    return element("div", { class: "card table" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads.map(([text, name]) => element("th", { class: name }, text)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell, index) => element("td", { class: heads[index][1] }, cell ?? "")))))));
  }

  function versions(found) {
    return table([["Version", ""], ["Type", "soft"], ["Aliases, tags", ""], ["Files", "right num"], ["Size", "right num"], ["Created", "soft"]], found.map((one) => [
      element("a", { href: page(one) }, `${one.name}:v${one.version}`), one.type, chips(one.aliases, one.tags), one.file_count, size(one.size), time(one.created_at)]));
  }

  return { page, runPage, runLink, chips, table, versions };
})();
