// A track: what it is, what it sounds like, what is near to it.

function showTrack(data, row, { open, search }) {
  const sound = player(data, row);
  const seek = (seconds) => {
    sound.audio.currentTime = seconds;
    sound.audio.play().catch(() => {}); // the player says why
  };
  const parts = [
    element("h2", { tabindex: "-1" }, data.paths[row]),
    element("p", { class: "faint path" },
      [data.roots[data.rootOf[row]].name, duration(data.seconds[row]),
        data.codecs[data.codecOf[row]], ...flagsOf(data, row)].join(" · ")),
    ...flagWords(data, row),
    element("div", { class: "player" }, ...sound.parts),
  ];
  if (data.labels) parts.push(...labelsOfTrack(data, row, search),
    element("h3", {}, "Over time"), ...overTime(data, row, seek));
  parts.push(...near(data, row, open));
  const place = byId("track");
  fill(place, ...parts);
  place.scrollTop = 0;
  place.scrollIntoView({ block: "nearest" });
}

function flagWords(data, row) {
  const [promised, damage] = data.flagWords[row] ?? [];
  const words = [];
  if (promised) words.push(`It says that it lasts ${duration(promised)}.`);
  if (damage) words.push(damage);
  return words.map((text) => element("p", { class: "problem" }, text));
}

function labelsOfTrack(data, row, search) {
  const line = (label, first, second) =>
    element("tr", {},
      element("td", {}, ...labelButton(data, label, search)),
      element("td", { class: "number" }, first),
      element("td", {}, second));
  const foremost = standingOut(data, row).map(({ label, rank, activation }) =>
    line(label, rank.toFixed(1), bar(activation, `activation ${activation.toFixed(2)}`)));
  const strongest = leading(data, row).map(({ label, activation }) =>
    line(label, activation.toFixed(2), bar(activation, `activation ${activation.toFixed(2)}`)));
  return [
    element("h3", {}, "Stands out"),
    element("p", { class: "faint" },
      "Percentile: in how many of a hundred tracks of this collection the label is weaker."),
    foremost.length
      ? element("table", { class: "labels" }, ...foremost)
      : element("p", { class: "faint" }, "No label is heard for certain."),
    element("details", {},
      element("summary", {}, data.families.length > 1 ? "Strongest of each family" : "Strongest"),
      element("table", { class: "labels" }, ...strongest)),
  ];
}

function near(data, row, open) {
  const found = neighboursOf(data, row);
  if (!data.neighbours) return [];
  return [
    element("h3", {}, "Near to it"),
    found.length
      ? element("ul", { class: "rows" }, ...found.map(({ row: other, cosine }) =>
        trackButton(data, other, cosine.toFixed(3), open)))
      : element("p", { class: "faint" }, "Nothing is: its embedding has no direction."),
  ];
}
