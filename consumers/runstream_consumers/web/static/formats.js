// Numbers, times and axis labels as text.
"use strict";
const Formats = (() => {
  const SUFFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const UNITS = [[/(^|[._])percent$/, "%"], [/_mb_s$/, " MB/s"], [/_mb$/, " MB"], [/temperature_c$/, " °C"], [/power_w$/, " W"]];
  const NAMES = { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" };
  // Differences of axis labels: numbers, and seconds.
  const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
  const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, ...STEPS.map((days) => days * 86400)];

  // A number, or the API's form of a non-finite one, as text.
  function value(number) {
    if (number === null || number === undefined) return "–";
    if (typeof number === "object") return NAMES[number.value] ?? "–";
    if (typeof number === "boolean") return number ? "1" : "0";
    const size = Math.abs(number);
    if (size !== 0 && (size >= 1e6 || size < 1e-3)) return number.toExponential(2).replace("e+", "e");
    return String(Number(number.toPrecision(5)));
  }

  // The decimal places that a number has, such as 2 for 0.25.
  function decimals(number) {
    for (let places = 0; places < 20; places++) {
      const scaled = number * 10 ** places;
      if (Math.abs(scaled - Math.round(scaled)) < 1e-6 && Math.round(scaled) > 0) return places;
    }
    return 20;
  }

  // Labels of an axis whose neighbors differ by a number: as many digits as are needed to tell them apart.
  function labels(splits, difference) {
    const greatest = Math.max(...splits.map((split) => Math.abs(split ?? 0)));
    const isShort = ([size]) => greatest >= Math.max(size, 1e4) && decimals(difference / size) <= 2;
    const [unit, suffix] = SUFFIXES.find(isShort) ?? [1, ""];
    return splits.map((split) => {
      if (split === null) return "";
      if (greatest >= 1e15 || (greatest > 0 && greatest < 1e-3)) {
        return split === 0 ? "0" : String(Number(split.toPrecision(4)).toExponential()).replace("e+", "e");
      }
      return split === 0 ? "0" : (split / unit).toFixed(decimals(difference / unit)) + suffix;
    });
  }

  function duration(seconds) {
    const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
    let rest = Math.round(seconds);
    const words = [];
    for (const [size, name] of parts) {
      const amount = Math.floor(rest / size);
      rest -= amount * size;
      if (amount) words.push(`${amount}${name}`);
    }
    return words.slice(0, 2).join(" ") || "0s";
  }

  const unit = (key) => UNITS.find(([pattern]) => pattern.test(key))?.[1] ?? "";
  return { value, labels, duration, unit, STEPS, SECONDS };
})();
