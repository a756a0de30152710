// The map as a PNG file: what is on the screen, the legend, and a line that says what it is.

function save_png(map) {
  const { canvas, over, data } = map;
  const ratio = canvas.width / Math.max(1, map.root.clientWidth);
  const foot = Math.round(26 * ratio);
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [canvas.width, canvas.height + foot];
  const context = sheet.getContext("2d");
  const style = getComputedStyle(map.root);
  const ground = style.backgroundColor;
  context.fillStyle = ground;
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.drawImage(canvas, 0, 0);
  context.drawImage(over, 0, 0);
  context.font = `${12 * ratio}px sans-serif`;
  context.textBaseline = "middle";
  context.fillStyle = style.color;
  context.fillText(data.title || "", 12 * ratio, canvas.height + foot / 2);
  draw_legend(context, map.legend, canvas.width - 12 * ratio, 20 * ratio, ratio, style.color);
  sheet.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${(data.title || "map").replace(/[^\w.-]+/g, "-").slice(0, 80)}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function draw_legend(context, legend, right, top, ratio, ink) {
  const shown = legend.shown();
  const rows = legend.palette
    .map((entry, code) => ({ ...entry, code }))
    .filter(({ name, code }) => name !== null && name !== undefined && shown[code]);
  if (legend.scale) rows.reverse();
  context.textAlign = "right";
  context.fillStyle = ink;
  context.fillText(legend.scheme || "", right, top);
  rows.forEach(({ name, colour }, k) => {
    const y = top + 18 * ratio * (k + 1);
    context.fillStyle = ink;
    context.fillText(name, right - 14 * ratio, y);
    context.fillStyle = colour;
    context.beginPath();
    context.arc(right - 4 * ratio, y, 4 * ratio, 0, 2 * Math.PI);
    context.fill();
  });
  context.textAlign = "left";
}
