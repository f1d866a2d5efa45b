// Parts of the page. What files say of themselves is always text, never HTML.

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

function fill(parent, ...children) {
  parent.replaceChildren(...children);
}

function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

function number(value) {
  return value.toLocaleString("en");
}

function count(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

function duration(seconds) {
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60) % 60;
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// A bar for a share between 0 and 1.
function bar(share, title) {
  const meter = element("meter", { title });
  meter.min = 0;
  meter.max = 1;
  meter.value = share;
  return meter;
}

// A button that looks for a label; the family that it is of stands behind it.
function labelButton(data, label, search) {
  const family = data.families[data.familyOf[label]];
  const name = button(data.labelNames[label], () => search(`label:${data.labels[label]}`),
    { class: "name" });
  return [name, ...(family ? [" ", element("span", { class: "faint" }, family)] : [])];
}

// A button that opens a track, where the keyboard goes on.
function trackButton(data, row, note, open) {
  const name = data.paths[row];
  const line = button(name, () => {
    open(row);
    byId("track").firstElementChild.focus({ preventScroll: true });
  }, { class: "name", title: name });
  return element("li", {}, line, element("span", { class: "faint" }, note));
}
