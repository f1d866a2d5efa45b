// The map: deck.gl draws a point for each track that has a place.

const WIDTH = 1000; // of the map, in its own units
const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

// Puts deck.gl in place. Its text is the one that the page's policy names.
function loadDeck(text) {
  const script = document.createElement("script");
  script.textContent = text;
  document.head.append(script);
  script.remove();
  return globalThis.deck;
}

function hasWebGL() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

class TrackMap {
  constructor(data, parent, { open, hover }) {
    this.data = data;
    this.parent = parent;
    this.deck = loadDeck(data.drawing);
    this.rows = [];
    for (let row = 0; row < data.tracks; row++) if (hasPlace(data, row)) this.rows.push(row);
    this.positions = new Float32Array(2 * this.rows.length);
    this.rows.forEach((row, i) => this.positions.set(this.placeOf(row), 2 * i));
    this.colours = new Uint8Array(4 * this.rows.length);
    this.chosen = null;
    this.pointed = null;
    this.view = this.wholeView();
    this.instance = new this.deck.Deck({
      parent,
      views: new this.deck.OrthographicView({ id: "map", flipY: true }),
      controller: { keyboard: false },
      viewState: this.view,
      style: { position: "absolute" },
      getCursor: ({ isDragging }) =>
        isDragging ? "grabbing" : this.pointed !== null ? "pointer" : "grab",
      onViewStateChange: ({ viewState }) => this.look(viewState),
      onError: (error) => notice(`The map cannot be drawn: ${error.message}`),
    });
    parent.addEventListener("keydown", (event) => this.key(event, open));
    // deck.gl's own clicks are lost where drawing takes longer than a press of the button.
    let pressed = null;
    parent.addEventListener("pointerdown", (event) => (pressed = event), true);
    parent.addEventListener("click", (event) => {
      const moved = Math.hypot(event.clientX - pressed?.clientX, event.clientY - pressed?.clientY);
      if (moved > 4) return;
      const row = this.at(...this.within(event));
      if (row !== null) open(row);
    });
    // Once a frame, however often the pointer moves.
    let moved = null;
    const point = (event) => {
      if (!moved) requestAnimationFrame(() => {
        const [x, y] = this.within(moved);
        this.pointed = moved.type === "pointerleave" || moved.buttons ? null : this.at(x, y);
        moved = null;
        hover(this.pointed, x, y);
      });
      moved = event;
    };
    parent.addEventListener("pointermove", point);
    parent.addEventListener("pointerleave", point);
  }

  // Where in the map's element the pointer is.
  within(event) {
    const box = this.parent.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // The track that is there, or next to it. Looking at all of them takes less than having them
  // drawn anew, each in a colour of its own, as deck.gl does to find it.
  at(x, y) {
    const scale = 2 ** this.view.zoom, [left, top] = this.bounds();
    const { row, away } = this.nearest(left + x / scale, top + y / scale);
    return away * scale <= this.radius() + 4 ? row : null;
  }

  // Of points, in pixels.
  radius() {
    const size = Math.max(1.5, Math.min(6, 300 / Math.sqrt(this.rows.length + 1)));
    return size * 2 ** Math.min(2, Math.max(0, (this.view.zoom - this.wholeView().zoom) / 3));
  }

  placeOf(row) {
    return [0, 1].map((axis) => (this.data.places[2 * row + axis] / 65534 - 0.5) * WIDTH);
  }

  wholeView() {
    const { clientWidth, clientHeight } = this.parent;
    const zoom = Math.log2(Math.max(50, Math.min(clientWidth, clientHeight)) / (WIDTH * 1.06));
    return { target: [0, 0, 0], zoom, minZoom: zoom - 1, maxZoom: zoom + 14 };
  }

  look(view) {
    this.view = { ...this.view, ...view };
    this.instance.setProps({ viewState: this.view, layers: this.layers() });
  }

  showWhole() {
    this.look(this.wholeView());
  }

  showTrack(row) {
    this.chosen = row;
    if (row !== null && hasPlace(this.data, row)) {
      const [x, y] = this.placeOf(row);
      const [left, top, right, bottom] = this.bounds();
      if (x < left || x > right || y < top || y > bottom) this.view.target = [x, y, 0];
    }
    this.look(this.view);
  }

  bounds() {
    const scale = 2 ** this.view.zoom, [x, y] = this.view.target;
    const across = this.parent.clientWidth / scale / 2, down = this.parent.clientHeight / scale / 2;
    return [x - across, y - down, x + across, y + down];
  }

  // Colours every point; those that were not found, if any were looked for, step back.
  colour(colourOf, found) {
    const alpha = this.rows.length > 20000 ? 150 : 210;
    this.colours = new Uint8Array(4 * this.rows.length);
    this.rows.forEach((row, i) => {
      const stepsBack = found && !found.has(row);
      this.colours.set(stepsBack ? OTHER : colourOf(row), 4 * i);
      this.colours[4 * i + 3] = stepsBack ? 30 : alpha;
    });
    this.points = null;
    this.look(this.view);
  }

  layers() {
    const { ScatterplotLayer } = this.deck;
    this.points ??= {
      length: this.rows.length,
      attributes: {
        getPosition: { value: this.positions, size: 2 },
        getFillColor: { value: this.colours, size: 4, normalized: true },
      },
    };
    const radius = this.radius();
    const layers = [
      new ScatterplotLayer({
        id: "tracks",
        data: this.points,
        radiusUnits: "pixels",
        getRadius: 1,
        radiusScale: radius,
      }),
    ];
    if (this.chosen !== null && hasPlace(this.data, this.chosen))
      layers.push(
        new ScatterplotLayer({
          id: "chosen",
          data: [this.placeOf(this.chosen)],
          getPosition: (place) => place,
          radiusUnits: "pixels",
          getRadius: radius + 5,
          filled: false,
          stroked: true,
          lineWidthUnits: "pixels",
          getLineWidth: 2.5,
          getLineColor: CHOSEN,
        }),
      );
    return layers;
  }

  key(event, open) {
    const step = 60 / 2 ** this.view.zoom, [x, y] = this.view.target;
    if (event.key in KEYS) {
      const [right, down] = KEYS[event.key];
      this.look({ target: [x + right * step, y + down * step, 0] });
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const zoom = this.view.zoom + (event.key === "-" ? -0.5 : 0.5);
      this.look({ zoom: Math.min(this.view.maxZoom, Math.max(this.view.minZoom, zoom)) });
    } else if (event.key === "0") this.showWhole();
    else if (event.key === "Enter") open(this.nearest(x, y).row);
    else return;
    event.preventDefault();
  }

  nearest(x, y) {
    let best = 0, least = Infinity;
    for (let i = 0; i < this.rows.length; i++) {
      const away = (this.positions[2 * i] - x) ** 2 + (this.positions[2 * i + 1] - y) ** 2;
      if (away < least) [best, least] = [i, away];
    }
    return { row: this.rows[best] ?? null, away: Math.sqrt(least) };
  }
}
