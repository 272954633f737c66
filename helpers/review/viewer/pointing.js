// What mouse, pen and wheel do in a panel: move and zoom the pictures, read a pixel, draw where a mask is corrected.

const LEFT = 1, OTHERS = 6; // of the buttons that are held

export function listen(panels, panel) {
  const { canvas, figure, place } = panel, { viewer } = panels, { tools } = viewer.editor;
  let drawing = null; // the pointer that draws: a finger beside a pen is another one, and primary too
  const edited = () => place === panels.correction && viewer.editor.edit !== null;
  canvas.addEventListener("wheel", (event) => {
    if (!viewer.data) return;
    event.preventDefault();
    const steps = -Math.sign(event.deltaY || event.deltaX); // with Shift some browsers turn the wheel sideways
    if (event.shiftKey && viewer.editor.edit) tools.resize(steps);
    else panels.zoomBy(Math.exp(-event.deltaY / 400), panels.toFrame(panel, event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    viewer.takeKeys();
    if (!edited() || event.button !== 0 || !event.isPrimary) return;
    if (tools.stroke) tools.up(); // that of the other pointer is whole, and can be undone
    drawing = event.pointerId;
    tools.down(panels.toFrame(panel, event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => event.pointerId === drawing && tools.up());
  }
  canvas.addEventListener("contextmenu", (event) => edited() && event.preventDefault());
  canvas.addEventListener("pointermove", (event) => {
    if (!viewer.data) return;
    if (tools.stroke && event.pointerId === drawing) {
      const passed = event.getCoalescedEvents?.() ?? []; // none on a page that came over plain HTTP
      tools.move((passed.length ? passed : [event]).map((one) => panels.toFrame(panel, one)));
    } else if (event.buttons & (edited() ? OTHERS : LEFT)) {
      const zoom = panels.zoomOf(panel);
      panels.at.x -= event.movementX / zoom;
      panels.at.y -= event.movementY / zoom;
    }
    panels.cursor = panels.toFrame(panel, event);
    panels.showPixel();
    viewer.draw("view");
  });
  canvas.addEventListener("pointerleave", () => {
    panels.cursor = null;
    viewer.draw("view");
  });
  figure.addEventListener("dblclick", () => edited() || panels.enlarge(place));
}
