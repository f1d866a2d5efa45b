// The lists below the map: labels, folders, files.

const MOST_LISTED = 200;
const MOST_LABELS = 60; // of a family

function tabsOf(data, { open, search }) {
  const tabs = [];
  if (data.labels) tabs.push(["Labels", () => labelTables(data, search)]);
  if (data.labels && data.folderLabels.length > 1)
    tabs.push(["Folders", () => folderTable(data, search)]);
  tabs.push(["Longest", () => trackList(data, sortedBy(data.seconds), open)]);
  if (data.took)
    tabs.push(["Slowest", () => trackList(data, sortedBy(data.took), open,
      (row) => `${spent(data.took[row])} for ${duration(data.seconds[row])}`)]);
  data.flagNames.forEach((name, bit) => {
    const rows = rowsWhere(data, (row) => data.flags[row] & (1 << bit));
    if (rows.length) tabs.push([`${titleOf(name)} (${number(rows.length)})`,
      () => trackList(data, rows, open)]);
  });
  if (data.failureCount)
    tabs.push([`Failed (${number(data.failureCount)})`, () => failureTable(data)]);
  return tabs;
}

function titleOf(flag) {
  return flag === "damage" ? "Damaged" : flag[0].toUpperCase() + flag.slice(1);
}

function showTabs(tabs) {
  const bar = byId("tabs"), panel = byId("panel");
  const buttons = tabs.map(([name, make], i) =>
    button(name, () => choose(i), { role: "tab", id: `tab-${i}`, "aria-controls": "panel" }));
  function choose(chosen) {
    buttons.forEach((one, i) => {
      one.setAttribute("aria-selected", String(i === chosen));
      one.tabIndex = i === chosen ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${chosen}`);
    fill(panel, ...tabs[chosen][1]());
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    const next = (at + step + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  });
  fill(bar, ...buttons);
  choose(0);
}

function labelTables(data, search) {
  const tables = data.families.map((family, number) => {
    const members = data.labels.map((_, i) => i).filter((i) => data.familyOf[i] === number);
    members.sort((a, b) => data.leadCounts[b] - data.leadCounts[a] || data.means[b] - data.means[a]);
    return labelTable(data, family || "Labels", members, search);
  });
  return [
    element("p", { class: "faint" }, "Bars: in which share of the tracks the label is the " +
      "strongest of its family. Mean: of its activation over all tracks."),
    element("div", { class: "families" }, ...tables),
  ];
}

function labelTable(data, title, members, search) {
  const line = (label) => {
    const share = data.leadCounts[label] / Math.max(1, data.allTracks);
    const words = `${number(data.leadCounts[label])} (${(100 * share).toFixed(1)} %)`;
    return element("tr", {},
      element("td", {}, button(data.labelNames[label],
        () => search(`label:${data.labels[label]}`), { class: "name" })),
      element("td", {}, bar(share, words)),
      element("td", { class: "number" }, number(data.leadCounts[label])),
      element("td", { class: "number faint" }, data.means[label].toFixed(2)));
  };
  const head = element("tr", {}, ...["Label", "Strongest in", "", "Mean"].map((name) =>
    element("th", { scope: "col" }, name)));
  const body = element("tbody", {}, ...members.slice(0, MOST_LABELS).map(line));
  const box = element("div", { class: "family" }, element("h3", {}, title),
    element("div", { class: "scroll", tabindex: "0" },
      element("table", { class: "labels" }, element("thead", {}, head), body)));
  if (members.length > MOST_LABELS) {
    const all = button(`All ${number(members.length)}`, () => {
      fill(body, ...members.map(line));
      all.remove();
    });
    box.append(all);
  }
  return box;
}

function folderTable(data, search) {
  const lines = data.folderLabels.map(({ folder, tracks, labels }) =>
    element("tr", {},
      element("td", {}, button(data.folders[folder],
        () => search(`folder:${data.folders[folder]}`), { class: "name" })),
      element("td", { class: "number" }, number(tracks)),
      element("td", {}, labels.map(([label, rank]) =>
        `${data.labelNames[label]} ${rank.toFixed(0)}`).join(", "))));
  const head = element("tr", {}, ...["Folder", "Tracks", "Stands out (mean percentile)"].map(
    (name) => element("th", { scope: "col" }, name)));
  return [...shortened(data.folderLabels.length, data.folders.length, "folder", "largest"),
    element("table", { class: "wide" }, element("thead", {}, head), element("tbody", {}, ...lines))];
}

// Tracks, those of which a column has most first.
function sortedBy(column) {
  return [...column.keys()].sort((a, b) => column[b] - column[a] || a - b);
}

// CPU time, in words.
function spent(seconds) {
  return seconds < 60 ? `${seconds.toFixed(seconds < 1 ? 2 : 1)} s` : duration(seconds);
}

function trackList(data, rows, open, tell = (row) => duration(data.seconds[row])) {
  return [...shortened(Math.min(rows.length, MOST_LISTED), rows.length, "track", "first"),
    element("ul", { class: "rows" }, ...rows.slice(0, MOST_LISTED).map((row) =>
      trackButton(data, row, tell(row), open)))];
}

function failureTable(data) {
  const lines = data.failures.map(([root, path, stage, reason]) =>
    element("tr", {}, element("td", { title: `${root}/${path}` }, path),
      element("td", {}, stage), element("td", {}, reason)));
  const head = element("tr", {}, ...["File", "Stage", "Reason"].map((name) =>
    element("th", { scope: "col" }, name)));
  return [...shortened(data.failures.length, data.failureCount, "file", "first"),
    element("table", { class: "wide" }, element("thead", {}, head), element("tbody", {}, ...lines))];
}

function shortened(shown, all, noun, which) {
  return shown < all
    ? [element("p", { class: "faint" }, `The ${which} ${number(shown)} of ${count(all, noun)}.`)]
    : [];
}
