// An area for large images that can be zoomed and moved. Several images move together.

class Stage {
  // element: the element of the area. changed: called with the scale as text whenever it changes. swiped: called with 1 or -1
  // when a finger moves left or right over an image that is not zoomed. tapped: called with the number of the image that was
  // clicked, if it is not zoomed; a double click does not zoom then.
  constructor(element, changed = () => {}, swiped = null, tapped = null) {
    this.tapped = tapped;
    this.element = element;
    this.changed = changed;
    this.swiped = swiped;
    this.panes = [];
    element.addEventListener("wheel", event => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", event => this.press(event));
    element.addEventListener("pointermove", event => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) {
      element.addEventListener(name, event => {
        if (name === "pointerup") this.release(event);
        this.fingers.delete(event.pointerId);
        element.classList.remove("dragging");
      });
    }
    element.addEventListener("dblclick", event => {
      event.preventDefault();
      if (!this.tapped || this.zoom !== 1) this.toggle(event.clientX, event.clientY);
    });
    this.fingers = new Map();
    new ResizeObserver(() => this.apply()).observe(element);
    this.reset();
  }

  // Shows panes, each an element with an image and its size: { element, width, height }.
  show(panes, keepsZoom) {
    this.panes = panes;
    if (!keepsZoom) this.reset();
    this.apply();
  }

  // Fits the images into the area, centred.
  reset() {
    this.zoom = 1;
    this.shift = { x: 0, y: 0 };
    this.apply();
  }

  // The scale at which a pane fits its room, at most 8.
  fitting(pane) {
    const room = pane.element.parentElement;
    return Math.min(room.clientWidth / pane.width, room.clientHeight / pane.height, 8);
  }

  get scale() { return this.panes.length ? this.fitting(this.panes[0]) * this.zoom : 1; }

  // Zooms, and keeps the point of the image under the pointer where it is.
  zoomTo(zoom, x, y) {
    const bounds = this.paneBounds(x);
    const center = bounds ? { x: bounds.left + bounds.width / 2, y: bounds.top + bounds.height / 2 } : { x, y };
    const next = Math.max(1 / 16, Math.min(64, zoom));
    const ratio = next / this.zoom;
    const [dx, dy] = x === undefined ? [0, 0] : [x - center.x, y - center.y];
    this.shift = { x: dx - (dx - this.shift.x) * ratio, y: dy - (dy - this.shift.y) * ratio };
    this.zoom = next;
    if (next <= 1) this.shift = { x: 0, y: 0 };
    this.apply();
  }

  // The bounds of the room under the pointer.
  paneBounds(x) {
    const rooms = this.panes.map(pane => pane.element.parentElement.getBoundingClientRect());
    return rooms.find(room => x >= room.left && x <= room.right) || rooms[0];
  }

  zoomBy(factor, x, y) { this.zoomTo(this.zoom * factor, x, y); }

  // Switches between actual size and fitting size.
  toggle(x, y) {
    if (Math.abs(this.scale - 1) < 0.01 || this.zoom !== 1) this.reset();
    else this.zoomTo(this.zoom / this.scale, x, y);
  }

  actualSize() { this.zoomTo(this.zoom / this.scale); }

  apply() {
    for (const pane of this.panes) {
      const scale = this.fitting(pane) * this.zoom;
      if (!(scale > 0)) continue;
      place(pane.element, {
        width: pane.width * scale, height: pane.height * scale,
        transform: `translate(-50%, -50%) translate(${this.shift.x}px, ${this.shift.y}px)`,
      });
      pane.element.classList.toggle("coarse", scale >= 3);
    }
    this.element.classList.toggle("zoomed", this.zoom > 1);
    this.changed(Math.round(this.scale * 100) + " %");
  }

  wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), event.clientX, event.clientY);
  }

  press(event) {
    if (event.button !== 0 || event.target.closest("button, input, a")) return;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.pressed = this.fingers.size === 1 ? { x: event.clientX, y: event.clientY } : null;
    this.began = this.fingers.size === 1 && event.pointerType === "touch" && this.zoom <= 1 ? { x: event.clientX, y: event.clientY } : null;
    this.element.setPointerCapture(event.pointerId);
    this.element.classList.add("dragging");
  }

  // The end of a swipe: mostly sideways, and at least a thumb's width.
  release(event) {
    const moved = this.pressed ? Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) : Infinity;
    this.pressed = null;
    if (this.tapped && this.zoom === 1 && moved < 6) {
      const rooms = this.panes.map(pane => pane.element.parentElement.getBoundingClientRect());
      const room = rooms.findIndex(({ left, right, top, bottom }) =>
        event.clientX >= left && event.clientX < right && event.clientY >= top && event.clientY < bottom);
      if (room >= 0) return this.tapped(room);
    }
    if (!this.began || !this.swiped) return;
    const [dx, dy] = [event.clientX - this.began.x, event.clientY - this.began.y];
    this.began = null;
    if (Math.abs(dx) >= 48 && Math.abs(dx) > 1.5 * Math.abs(dy)) this.swiped(dx < 0 ? 1 : -1);
  }

  drag(event) {
    const old = this.fingers.get(event.pointerId);
    if (!old) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, now);
    if (other) {
      // Two fingers pinch.
      const spread = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(old.x - other.x, old.y - other.y));
      this.zoomBy(spread, (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else if (this.zoom > 1) {
      this.shift = { x: this.shift.x + now.x - old.x, y: this.shift.y + now.y - old.y };
      this.apply();
    }
  }

  // Handles a key; returns whether it is one of the stage's.
  key(event) {
    const actions = {
      "+": () => this.zoomBy(1.25), "=": () => this.zoomBy(1.25), "-": () => this.zoomBy(0.8), f: () => this.reset(),
      a: () => this.actualSize(),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return false;
    actions[event.key]();
    event.preventDefault();
    return true;
  }
}

// An image as a pane of a stage.
function pane(cell) {
  const element = make("img", { className: "pane", alt: "", src: cell.file, draggable: false });
  return { element, width: cell.width, height: cell.height };
}
