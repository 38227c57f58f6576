// Opens the page with the value of a field as a parameter; forms are forbidden by the content security policy.
"use strict";
document.querySelectorAll("[data-parameter]").forEach((field) => {
  field.addEventListener("change", () => {
    const url = new URL(location.href);
    ["after", "before", field.dataset.parameter].forEach((name) => url.searchParams.delete(name));
    if (field.value.trim()) url.searchParams.set(field.dataset.parameter, field.value.trim());
    location.assign(url);
  });
});
