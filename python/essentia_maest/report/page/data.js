// What the page holds, as `packed.py` packed it and `contents.py` describes it.

const NONE = 0xffff; // no label, no place
const KINDS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f32: Float32Array };

async function unpack(packed) {
  const letters = atob(packed.data);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  if (packed.kind in KINDS) return new KINDS[packed.kind](buffer);
  const text = new TextDecoder().decode(buffer);
  return packed.kind === "json" ? JSON.parse(text) : text;
}

// Gives the contents, each column unpacked in the place of what was packed.
async function readContents() {
  const element = document.getElementById("contents");
  const contents = JSON.parse(element.textContent);
  element.remove(); // many megabytes of text
  const columns = Object.entries(contents.columns);
  const unpacked = await Promise.all(columns.map(([, packed]) => unpack(packed)));
  const data = { ...contents, drawing: await unpack(contents.drawing), overTimeOf: new Map() };
  columns.forEach(([name], i) => (data[name] = unpacked[i]));
  data.lower = data.paths.map((path) => path.toLowerCase());
  if (data.labels) data.labelNames = data.labels.map((label, i) => shortName(data, label, i));
  if (data.timeColumns) indexOverTime(data);
  return data;
}

// A label without its family.
function shortName(data, label, index) {
  const family = data.families[data.familyOf[index]];
  return family ? label.slice(family.length + 3) : label;
}

// A label in words, with the family that it is of.
function labelWords(data, label) {
  const family = data.families[data.familyOf[label]];
  return family ? `${family}: ${data.labelNames[label]}` : data.labelNames[label];
}

// Where each track's tags over time lie in the columns that hold those of all.
function indexOverTime(data) {
  let starts = 0, labels = 0, values = 0;
  for (let row = 0; row < data.timeColumns.length; row++) {
    const columns = data.timeColumns[row], count = data.timeLabelCounts[row];
    if (columns) data.overTimeOf.set(row, { columns, count, starts, labels, values });
    starts += columns;
    labels += count;
    values += columns * count;
  }
}

// The labels that stand out about a track, the foremost first.
function standingOut(data, row) {
  const found = [];
  for (let i = row * data.standingOut; i < (row + 1) * data.standingOut; i++) {
    if (data.standing[i] === NONE) break;
    found.push({
      label: data.standing[i],
      rank: data.ranks[i] / 655.35,
      activation: data.strengths[i] / 255,
    });
  }
  return found;
}

// The strongest label of each family of a track.
function leading(data, row) {
  const found = [];
  data.families.forEach((family, i) => {
    const at = row * data.families.length + i;
    if (data.leading[at] !== NONE)
      found.push({ family, label: data.leading[at], activation: data.leadingStrengths[at] / 255 });
  });
  return found;
}

function neighboursOf(data, row) {
  const found = [];
  for (let i = row * data.neighbours; i < (row + 1) * data.neighbours; i++)
    if (data.near[i] >= 0) found.push({ row: data.near[i], cosine: data.cosines[i] / 65535 });
  return found;
}

function flagsOf(data, row) {
  return data.flagNames.filter((_, bit) => data.flags[row] & (1 << bit));
}

function hasPlace(data, row) {
  return Boolean(data.places) && data.places[2 * row] !== NONE;
}
