// A point cloud on a canvas, turned with the pointer.
"use strict";
const Points = (() => {
  const { element } = Charts;
  const MOST = 50000;

  // Points as [x, y, z, color]: lists of 3 numbers, of 4 with a class, or of 6 with a color.
  function points(data) {
    const rows = Array.isArray(data) ? data : data.points ?? [];
    const step = Math.max(1, Math.ceil(rows.length / MOST));
    return rows.filter((row, index) => index % step === 0 && Array.isArray(row) && row.slice(0, 3).every(Number.isFinite)).map((row) => [row[0], row[1], row[2],
      row.length >= 6 ? `rgb(${row.slice(3, 6).map(Number).join(",")})` : row.length === 4 ? `hsl(${(Number(row[3]) * 47) % 360} 70% 50%)` : "#5b7cfa"]);
  }

  // The corners of a box are joined as those of a cuboid: the first four are one side, the others the opposite one.
  const EDGES = [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]];
  const cuboids = (data) => (data.boxes ?? []).filter(({ corners }) => Array.isArray(corners) && corners.length === 8)
    .map(({ corners, color }) => ({ corners, color: Array.isArray(color) ? `rgb(${color.map(Number).join(",")})` : "#e0662f" }));

  function cloud(load) {
    const canvas = element("canvas", { class: "cloud", width: 640, height: 420, role: "img", "aria-label": "Point cloud; drag to turn" });
    let [yaw, pitch, zoom, found, boxes] = [0.6, 0.4, 1, [], []];
    let [middle, size] = [[0, 0, 0], 1];
    const context = canvas.getContext("2d");

    function place([x, y, z]) {
      const [dx, dy, dz] = [x - middle[0], y - middle[1], z - middle[2]];
      const [a, b] = [dx * Math.cos(yaw) - dy * Math.sin(yaw), dx * Math.sin(yaw) + dy * Math.cos(yaw)];
      const scale = (zoom * Math.min(canvas.width, canvas.height) * 0.9) / size;
      return [canvas.width / 2 + a * scale, canvas.height / 2 - (dz * Math.cos(pitch) + b * Math.sin(pitch)) * scale];
    }

    function draw() {
      context.clearRect(0, 0, canvas.width, canvas.height);
      const dot = found.length > 5000 ? 1.5 : 3;
      for (const point of found) {
        const [x, y] = place(point);
        context.fillStyle = point[3];
        context.fillRect(x - dot / 2, y - dot / 2, dot, dot);
      }
      for (const { corners, color } of boxes) {
        context.strokeStyle = color;
        context.beginPath();
        EDGES.forEach(([from, to]) => { context.moveTo(...place(corners[from])); context.lineTo(...place(corners[to])); });
        context.stroke();
      }
    }

    load().then((data) => {
      [found, boxes] = [points(data), cuboids(data)];
      const all = [...found, ...boxes.flatMap(({ corners }) => corners)];
      const ends = [0, 1, 2].map((axis) => all.reduce(([least, most], point) => [Math.min(least, point[axis]), Math.max(most, point[axis])], [Infinity, -Infinity]));
      middle = ends.map(([least, most]) => (least + most) / 2);
      size = Math.hypot(...ends.map(([least, most]) => most - least)) || 1;
      draw();
    }).catch(() => canvas.replaceWith(element("p", { class: "absent" }, "Not available")));
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      yaw += event.movementX / 150;
      pitch += event.movementY / 150;
      draw();
    });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom *= Math.exp(-event.deltaY / 600); draw(); }, { passive: false });
    return canvas;
  }

  return { cloud };
})();
