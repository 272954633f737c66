// What is drawn over the pictures: the cross under the mouse, the brush, and the stamp of a demonstration.

export function blacken(context) {
  const { width, height } = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#121212";
  context.fillRect(0, 0, width, height);
}

// In pixels of the frame, as the circle below; `zoom`: pixels of the canvas to one of them.
export function cross(context, { x, y }, zoom) {
  const arm = 9 / zoom, thin = 1 / zoom;
  context.fillStyle = "#ffffffcc";
  context.fillRect(x - arm, y - thin / 2, 2 * arm, thin);
  context.fillRect(x - thin / 2, y - arm, thin, 2 * arm);
}

export function circle(context, { x, y }, diameter, zoom) {
  for (const [colour, width] of [["#000000aa", 3], ["#ffffff", 1]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width / zoom });
    context.beginPath();
    context.arc(x, y, diameter / 2, 0, 2 * Math.PI);
    context.stroke();
  }
}

// The tool under the pointer while a mask is corrected: a brush; or a cross, with the box that is dragged and the points
// that the model was asked with, those beside the vessel small.
export function toolAt(context, cursor, { brush, stroke, clicks: { last } }, zoom) {
  if (brush) return circle(context, cursor, brush, zoom);
  for (const [x, y, label] of last?.points ?? []) {
    circle(context, { x: x + 0.5, y: y + 0.5 }, (label ? 9 : 4) / zoom, zoom);
  }
  if (stroke?.from) {
    Object.assign(context, { strokeStyle: "#ffffff", lineWidth: 1 / zoom });
    context.strokeRect(stroke.from.x, stroke.from.y, cursor.x - stroke.from.x, cursor.y - stroke.from.y);
  }
  cross(context, cursor, zoom);
}

// What is no result says so in the picture too, which can be copied out of the page.
export function stampOn(context, text, width, height, ratio) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.font = `${Math.round(11 * ratio)}px system-ui, sans-serif`;
  const room = 4 * ratio, wide = Math.min(context.measureText(text).width, width - 2 * room);
  context.fillStyle = "#121212cc";
  context.fillRect(width - wide - 2 * room, height - 18 * ratio, wide + 2 * room, 18 * ratio);
  context.fillStyle = "#e6b422";
  context.fillText(text, width - wide - room, height - 5.5 * ratio, wide);
}
