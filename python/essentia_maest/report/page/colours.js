// What the points of the map are coloured by, and the legend that says so.

// Eleven that are told apart on white and on black; the rest is grey.
const PALETTE = [
  [31, 119, 180], [255, 127, 14], [44, 160, 44], [214, 39, 40], [148, 103, 189], [140, 86, 75],
  [227, 119, 194], [188, 189, 34], [23, 190, 207], [245, 196, 60], [90, 200, 150],
];
const OTHER = [140, 140, 140];
const CHOSEN = [220, 40, 90];

// The ways to colour, each with the class of a track and the name of a class.
function waysToColour(data) {
  const ways = [];
  (data.families ?? []).forEach((family, i) => {
    const width = data.families.length;
    ways.push({
      name: family || "Strongest label",
      classOf: (row) => data.leading[row * width + i],
      nameOf: (one) => (one === NONE ? "none" : data.labelNames[one]),
      query: (one) => (one === NONE ? "" : `label:${data.labels[one]}`),
    });
  });
  if (data.folders.length > 1)
    ways.push({
      name: "Folder",
      classOf: (row) => data.folderOf[row],
      nameOf: (one) => data.folders[one],
      query: (one) => `folder:${data.folders[one]}`,
    });
  ways.push({ name: "One colour", classOf: () => 0, nameOf: () => "tracks", query: () => "" });
  return ways;
}

// Gives the colour of each track, and the classes by size: the largest have colours of their own.
function colouring(data, way) {
  const sizes = new Map();
  for (let row = 0; row < data.tracks; row++) {
    const one = way.classOf(row);
    sizes.set(one, (sizes.get(one) ?? 0) + 1);
  }
  const classes = [...sizes.entries()].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const colours = new Map(
    classes.slice(0, PALETTE.length).map(([one], i) => [one, PALETTE[i]]),
  );
  return { way, classes, colourOf: (row) => colours.get(way.classOf(row)) ?? OTHER };
}

function showLegend(list, { way, classes }, search) {
  const lines = classes.slice(0, PALETTE.length).map(([one, size], i) => {
    const mark = element("span", { class: "mark" });
    mark.style.background = `rgb(${PALETTE[i].join()})`;
    const name = way.query(one)
      ? button(way.nameOf(one), () => search(way.query(one)), { class: "name" })
      : way.nameOf(one);
    return element("li", {}, mark, name, element("span", { class: "faint" }, number(size)));
  });
  const rest = classes.slice(PALETTE.length);
  if (rest.length) {
    const mark = element("span", { class: "mark" });
    mark.style.background = `rgb(${OTHER.join()})`;
    const size = rest.reduce((sum, [, one]) => sum + one, 0);
    lines.push(element("li", {}, mark, count(rest.length, "other"),
      element("span", { class: "faint" }, number(size))));
  }
  fill(list, ...lines);
}
