// Puts the parts together.

function notice(text) {
  const place = byId("notice");
  place.textContent = place.textContent ? `${place.textContent} ${text}` : text;
  place.hidden = false;
}

async function start() {
  const data = await readContents();
  let map = null, found = null, colours = null;

  const open = (row) => {
    showTrack(data, row, { open, search });
    map?.showTrack(row);
  };
  const recolour = () => map?.colour(colours.colourOf, found && new Set(found));
  const look = (query) => {
    found = findTracks(data, query);
    showFound(data, found, open);
    recolour();
    byId("found").dataset.query = query; // for those who test it
  };
  const search = (query) => {
    byId("search").value = query;
    look(query);
  };

  describe(data);
  let waiting = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look(event.target.value), 120);
  });
  showTabs(tabsOf(data, { open, search }));
  map = makeMap(data, open);
  const ways = waysToColour(data), choice = byId("colour");
  fill(choice, ...ways.map((way, i) => element("option", { value: String(i) }, way.name)));
  const colourBy = () => {
    colours = colouring(data, ways[choice.value]);
    showLegend(byId("legend"), colours, search);
    recolour();
  };
  choice.addEventListener("change", colourBy);
  colourBy();
  document.body.dataset.ready = "yes"; // for those who test it
}

function describe(data) {
  const seconds = data.seconds.reduce((sum, one) => sum + one, 0);
  const words = [
    data.tracks < data.allTracks
      ? `${number(data.tracks)} of ${count(data.allTracks, "track")}, spread evenly`
      : count(data.tracks, "track"),
    `${number(Math.round(seconds / 360) / 10)} hours`,
  ];
  if (data.failureCount) words.push(`${number(data.failureCount)} failed`);
  if (data.model) words.push(`model ${data.model}`);
  fill(byId("summary"), words.join(" · "));
  if (!data.places) notice("No embeddings were computed: there is no map, and no neighbours.");
  if (!data.labels) notice("No predictions were computed: there are no labels.");
}

function makeMap(data, open) {
  const box = byId("map"), tip = byId("tip");
  if (!data.places) {
    byId("mapping").hidden = true;
    return null;
  }
  if (!hasWebGL()) {
    byId("mapping").hidden = true;
    notice("This browser has no WebGL 2, which the map needs; everything else works.");
    return null;
  }
  const map = new TrackMap(data, box, { open, hover });
  function hover(row, x, y) {
    tip.hidden = row === null;
    if (row === null) return;
    const labels = data.labels ? standingOut(data, row).slice(0, 3) : [];
    fill(tip, element("strong", {}, data.paths[row]),
      ...labels.map(({ label }) => element("div", {}, labelWords(data, label))));
    tip.style.left = `${Math.min(x + 14, Math.max(0, box.clientWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.min(y + 14, Math.max(0, box.clientHeight - tip.offsetHeight - 4))}px`;
  }
  byId("whole").addEventListener("click", () => map.showWhole());
  new ResizeObserver(() => map.showWhole()).observe(box);
  return map;
}

start().catch((error) => notice(`The page cannot be shown: ${error.message}`));
