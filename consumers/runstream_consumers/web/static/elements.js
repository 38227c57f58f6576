// Elements, sizes and requests for pages that are filled from the API. Texts become text nodes, never HTML.
"use strict";
const Elements = (() => {
  const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function size(bytes) {
    if (bytes === null || bytes === undefined) return "";
    const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
    return `${Number((bytes / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
  }

  function time(value) {
    const moment = new Date(typeof value === "number" ? value * 1000 : value);
    return Number.isNaN(moment.getTime()) ? null : element("time", { datetime: moment.toISOString() }, moment.toISOString().slice(0, 16).replace("T", " "));
  }

  const path = (text) => text.split("/").map(encodeURIComponent).join("/");

  async function get(url) {
    const answer = await fetch(url);
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error(found.error?.message ?? `The server returned ${answer.status}.`), { status: answer.status });
    return found;
  }

  const problem = (error) => element("p", { class: "card none absent", role: "alert" }, error.message);
  return { element, size, time, path, get, problem };
})();
