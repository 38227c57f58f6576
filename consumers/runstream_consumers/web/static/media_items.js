// Shows the files of media values: images with boxes and masks, sounds, videos, HTML, figures, 3D models, texts; others as links.
"use strict";
const MediaItems = (() => {
  const { element } = Charts;
  const COLORS = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#fabed4", "#469990", "#dcbeff", "#9a6324", "#800000", "#aaffc3", "#808000", "#000075"];
  const { api } = document.querySelector("main").dataset;
  const url = (path) => `${api}/files/${path.split("/").map(encodeURIComponent).join("/")}`;
  const color = (index) => COLORS[((index % COLORS.length) + COLORS.length) % COLORS.length];
  const name = (path) => path.slice(path.lastIndexOf("/") + 1);

  function link(path, text = `Download ${name(path)}`) {
    return element("a", { class: "file", href: `${url(path)}?download=1`, download: name(path) }, text);
  }

  // What is shown for a file that is not stored (yet).
  function absent({ state = "", reason = "" }) {
    const texts = { uploading: "Uploading…", dropped: `Lost: ${reason}`, deleted: "Deleted" };
    return element("p", { class: `absent ${state}` }, texts[state] ?? (reason || "Not available"));
  }

  async function json(path) {
    const answer = await fetch(url(path));
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  // A box in pixels of the image: corners or a middle with a size, in pixels or in parts of the image.
  function corners({ position, domain }, width, height) {
    const [w, h] = domain === "pixel" ? [1, 1] : [width, height];
    if ("minX" in position) return { x: position.minX * w, y: position.minY * h, width: (position.maxX - position.minX) * w, height: (position.maxY - position.minY) * h };
    const [x, y] = position.middle;
    return { x: (x - position.width / 2) * w, y: (y - position.height / 2) * h, width: position.width * w, height: position.height * h };
  }

  const BOX_TEXT = 11; // pixels of the screen

  async function boxes(overlay, image) {
    const { box_data: found, class_labels: labels = {} } = await json(overlay.path);
    const [width, height] = [image.naturalWidth || 1, image.naturalHeight || 1];
    const scale = width / (image.clientWidth || width);
    const drawing = element("svg:svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
    for (const box of found) {
      const place = corners(box, width, height);
      const scores = Object.entries(box.scores ?? {}).map(([key, value]) => `${key} ${typeof value === "number" ? Formats.value(value) : value}`).join(", ");
      const text = [box.box_caption || labels[box.class_id] || overlay.classes[box.class_id] || (box.class_id ?? ""), scores].filter((part) => part !== "").join(" · ");
      const stroke = color(box.class_id ?? 0);
      drawing.append(element("svg:rect", { ...place, stroke }, element("svg:title", {}, String(text))));
      const isRight = place.x + place.width / 2 > width / 2;
      const anchor = { x: isRight ? place.x + place.width : place.x, "text-anchor": isRight ? "end" : "start" };
      if (text) drawing.append(element("svg:text", { ...anchor, y: Math.max(place.y - 3 * scale, BOX_TEXT * scale), "font-size": BOX_TEXT * scale, fill: stroke }, String(text)));
    }
    return drawing;
  }

  // A mask is an image whose grey values are classes; class 0 is left transparent.
  async function mask(overlay) {
    const image = new Image();
    image.src = url(overlay.path);
    await image.decode();
    const canvas = element("canvas", { class: "mask", width: image.naturalWidth, height: image.naturalHeight });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < pixels.data.length; at += 4) {
      const number = pixels.data[at];
      seen.add(number);
      const rgb = parseInt(color(number - 1).slice(1), 16);
      pixels.data.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, number ? 140 : 0], at);
    }
    context.putImageData(pixels, 0, 0);
    canvas.legend = [...seen].filter((number) => number && overlay.classes[number]).sort((a, b) => a - b).map((number) => [overlay.classes[number], color(number - 1)]);
    return canvas;
  }

  function legend(names, switches) {
    const known = new Set([...switches.querySelectorAll("span")].map(({ textContent }) => textContent));
    switches.append(...names.filter(([text]) => !known.has(text)).map(([text, fill]) => element("span", {}, element("svg:svg", {}, element("svg:rect", { width: 10, height: 10, rx: 2, fill })), text)));
  }

  function image(item) {
    const shown = element("img", { src: url(item.path), alt: item.caption || name(item.path), loading: "lazy", decoding: "async" });
    if (item.width && item.height) { shown.width = item.width; shown.height = item.height; }
    const frame = element("a", { class: "frame", href: url(item.path), target: "_blank", rel: "noopener" }, shown);
    shown.addEventListener("error", () => frame.replaceChildren(absent({})));
    if (Math.max(item.width ?? 0, item.height ?? 0) <= 64) shown.classList.add("pixelated");
    const switches = element("div", { class: "overlays" });
    const overlays = [...item.masks.map((one) => [one, mask]), ...item.boxes.map((one) => [one, boxes])];
    overlays.forEach(([overlay, draw]) => {
      const box = element("input", { type: "checkbox", checked: "" });
      switches.append(element("label", {}, box, overlay.name));
      const drawn = shown.decode().then(() => draw(overlay, shown)).then((layer) => { frame.append(layer); legend(layer.legend ?? [], switches); return layer; }).catch(() => null);
      box.addEventListener("change", async () => { const layer = await drawn; if (layer) layer.style.display = box.checked ? "" : "none"; });
    });
    return overlays.length ? [frame, switches] : [frame];
  }

  // What no viewer shows: its type, and the download.
  function card(item) {
    const type = name(item.path).split(".").slice(1).join(".");
    return [element("p", { class: "download" }, element("b", {}, type || "file"), link(item.path))];
  }

  const isGif = (path) => /\.gif$/i.test(path);
  const kinds = {
    image,
    video: (item) => [isGif(item.path) ? image({ ...item, masks: [], boxes: [] })[0] : element("video", { src: url(item.path), controls: "", loop: "", muted: "", preload: "metadata" })],
    audio: (item) => [element("audio", { src: url(item.path), controls: "", preload: "metadata" })],
    // The frame has an origin of its own: its scripts reach neither this page nor the API.
    html: (item) => [element("iframe", { src: `${url(item.path)}?scripts=true`, sandbox: "allow-scripts", loading: "lazy", title: item.caption || name(item.path) })],
    table: (item) => [Tables.table(item)],
    object3d: (item) => {
      const [, extension] = /\.(pts\.json|glb|gltf|obj|stl)$/.exec(item.path) ?? [];
      if (!extension) return card(item);
      return [extension === "pts.json" ? Points.cloud(() => json(item.path)) : Viewers.model(url(item.path), extension, item.caption || name(item.path)), link(item.path)];
    },
    plotly: (item) => [Viewers.plotly(url(item.path), item.caption || name(item.path))],
    text: (item) => [Viewers.text(url(item.path)), link(item.path)],
  };

  // The figure of an item; `states` has the files that are not stored.
  function figure(kind, item, states) {
    const state = states[item.path];
    const missing = (overlay) => !states[overlay.path];
    const known = { ...item, boxes: item.boxes.filter(missing), masks: item.masks.filter(missing) };
    const parts = state ? [absent(state)] : (kinds[kind] ?? card)(known);
    if (item.caption) parts.push(element("figcaption", {}, item.caption));
    return element("figure", { class: `kind-${kind}`, title: item.path }, ...parts);
  }

  return { figure, url, absent, link, name };
})();
