// Finds tracks by words in their path, or by a label that leads or stands out.

const MOST_SHOWN = 100;

// Gives the tracks that were looked for, the foremost first; null where nothing was.
function findTracks(data, query) {
  const text = query.trim();
  if (!text) return null;
  const [, kind, rest] = text.match(/^(label|folder):(.*)$/s) ?? [];
  if (kind === "folder") {
    const folder = data.folders.indexOf(rest);
    if (folder >= 0) return rowsWhere(data, (row) => data.folderOf[row] === folder);
  }
  if (kind === "label" && data.labels) {
    const label = data.labels.indexOf(rest);
    if (label >= 0) return withLabels(data, new Set([label]));
  }
  const words = text.toLowerCase().split(/\s+/);
  const inPath = rowsWhere(data, (row) => words.every((word) => data.lower[row].includes(word)));
  if (!data.labels) return inPath;
  const meant = new Set();
  data.labels.forEach((label, i) => {
    if (words.every((word) => label.toLowerCase().includes(word))) meant.add(i);
  });
  if (!meant.size) return inPath;
  const there = new Set(inPath);
  return [...inPath, ...withLabels(data, meant).filter((row) => !there.has(row))];
}

function rowsWhere(data, test) {
  const found = [];
  for (let row = 0; row < data.tracks; row++) if (test(row)) found.push(row);
  return found;
}

// Those about which such a label stands out first, by percentile; then those where it only leads.
function withLabels(data, meant) {
  const scores = new Map();
  const width = data.families.length;
  for (let row = 0; row < data.tracks; row++) {
    let best = 0;
    for (let i = row * data.standingOut; i < (row + 1) * data.standingOut; i++)
      if (meant.has(data.standing[i])) best = Math.max(best, 1 + data.ranks[i]);
    for (let i = row * width; !best && i < (row + 1) * width; i++)
      if (meant.has(data.leading[i])) best = data.leadingStrengths[i] / 256;
    if (best) scores.set(row, best);
  }
  return [...scores.keys()].sort((a, b) => scores.get(b) - scores.get(a) || a - b);
}

function showFound(data, found, open) {
  if (!found) {
    fill(byId("matches"));
    fill(byId("found"));
    return;
  }
  const more = found.length > MOST_SHOWN ? `, the first ${MOST_SHOWN} below` : "";
  fill(byId("matches"), found.length ? count(found.length, "track") + more : "Nothing found");
  fill(byId("found"), ...found.slice(0, MOST_SHOWN).map((row) =>
    trackButton(data, row, duration(data.seconds[row]), open)));
}
