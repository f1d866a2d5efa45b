// Tags over time of a track: a row for each label, a column for each segment or some of them.

const SVG = "http://www.w3.org/2000/svg";

function overTime(data, row, seek) {
  const at = data.overTimeOf.get(row);
  if (!at) {
    const words = row >= data.overTime
      ? `Tags over time are in this page for the first ${count(data.overTime, "track")} only.`
      : "There are no tags over time of this track.";
    return [element("p", { class: "faint" }, words)];
  }
  if (!at.count) return [element("p", { class: "faint" }, "No label is heard for certain.")];
  const seconds = data.seconds[row];
  const starts = [...data.timeStarts.subarray(at.starts, at.starts + at.columns)];
  const ends = [...starts.slice(1), Math.max(seconds, starts[at.columns - 1] + 0.001)];
  const lines = [];
  for (let i = 0; i < at.count; i++) {
    const number = data.timeLabels[at.labels + i], label = labelWords(data, number);
    const from = at.values + i * at.columns;
    const values = data.timeValues.subarray(from, from + at.columns);
    const name = element("span", { class: "label", title: label },
      data.labelNames[number]);
    lines.push(element("div", { class: "times" }, name, strip(label, values, starts, ends, seek)));
  }
  const scale = element("div", { class: "times faint" }, element("span", { class: "label" }),
    element("span", { class: "scale" }, element("span", {}, duration(starts[0])),
      element("span", {}, duration(ends[at.columns - 1]))));
  return [...lines, scale];
}

function strip(label, values, starts, ends, seek) {
  const picture = document.createElementNS(SVG, "svg");
  const begin = starts[0], whole = ends[ends.length - 1] - begin;
  picture.setAttribute("viewBox", "0 0 1000 10");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `${label}, ${[...values]
    .map((value, i) => `${duration(starts[i])} ${(value / 255).toFixed(2)}`)
    .join(", ")}`);
  values.forEach((value, i) => {
    const column = document.createElementNS(SVG, "rect");
    const from = ((starts[i] - begin) / whole) * 1000, to = ((ends[i] - begin) / whole) * 1000;
    for (const [name, one] of Object.entries({ x: from, y: 0, width: to - from + 0.5, height: 10 }))
      column.setAttribute(name, one);
    column.setAttribute("fill-opacity", value / 255);
    const words = document.createElementNS(SVG, "title");
    words.textContent = `${label} ${(value / 255).toFixed(2)} at ${duration(starts[i])}`;
    column.append(words);
    picture.append(column);
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    seek(begin + ((event.clientX - box.left) / box.width) * whole);
  });
  return picture;
}
