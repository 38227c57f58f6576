// Files as a tree of folders: of a run, or of an artifact version.
"use strict";
const FileTree = (() => {
  const { element, size } = Elements;
  const STATES = { uploading: "uploading", dropped: "lost", deleted: "deleted" };
  const OPEN_FILES = 200;

  function leaf(name, { href, bytes, state = "stored", reason, ref }) {
    const isStored = state === "stored";
    const title = ref ? element("span", { class: "mono", title: ref }, name) : isStored ? element("a", { href, target: "_blank", rel: "noopener" }, name) : element("span", { class: "soft" }, name);
    const rest = isStored ? [] : [element("span", { class: `chip ${state === "dropped" ? "lost" : "warn"}` }, STATES[state] ?? state), ...(reason ? [element("span", { class: "reason" }, reason)] : [])];
    if (ref) rest.push(/^https?:\/\//.test(ref) ? element("a", { class: "file", href: ref, target: "_blank", rel: "noopener noreferrer nofollow" }, ref) : element("span", { class: "faint" }, ref));
    const download = isStored && !ref ? element("a", { class: "file", href: `${href}?download=1`, download: name, "aria-label": `Download ${name}` }, "Download") : null;
    return element("div", { class: "leaf" }, title, ...rest, element("span", { class: "size num" }, isStored && !(ref && !bytes) ? size(bytes) : ""), download);
  }

  function folder(node, isOpen) {
    const folders = [...node.folders].sort(([a], [b]) => a.localeCompare(b)).map(([name, below]) => element("details", isOpen ? { open: "" } : {},
      element("summary", {}, element("span", {}, `${name}/`), element("small", { class: "num" }, `${below.count}${below.isPartial ? "+" : ""} file${below.count === 1 ? "" : "s"} · ${size(below.bytes)}`)), folder(below, isOpen)));
    return element("div", {}, ...folders, ...node.files.sort((a, b) => a.name.localeCompare(b.name)).map((file) => leaf(file.name, file)));
  }

  // A tree of files with `path`, `href`, `bytes` and optionally `state`, `reason`, and `ref` for a reference. `isPartial`: there are
  // more files after the last one, in the order of their names.
  function tree(files, isPartial = false) {
    const root = { folders: new Map(), files: [], count: 0, bytes: 0 };
    for (const file of files) {
      const parts = file.path.split("/");
      const name = parts.pop();
      let node = root;
      for (const part of parts) {
        if (!node.folders.has(part)) node.folders.set(part, { folders: new Map(), files: [], count: 0, bytes: 0 });
        node = node.folders.get(part);
        node.count += 1;
        node.bytes += file.bytes ?? 0;
        node.isPartial = isPartial && file === files.at(-1);
      }
      node.files.push({ ...file, name });
    }
    return element("div", { class: "card tree" }, folder(root, files.length <= OPEN_FILES));
  }

  // Files that could not be kept, with the reason.
  const lost = (files) => element("div", { class: "card tree" }, element("div", {}, ...files.map((file) => leaf(file.path, file))));

  return { tree, lost };
})();
