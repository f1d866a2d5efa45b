// Plays the file of a track, where the browser can.

// The path that `results/path_text.py` spelled, as a URL: \xff is a byte that is not UTF-8.
function urlOfPath(text) {
  return text
    .split(/\\x([89a-f][0-9a-f]|5c)/)
    .map((part, i) => (i % 2 ? `%${part}` : part.split("/").map(encodeURIComponent).join("/")))
    .join("");
}

// Where the file may be: beside the page, and where it was analysed.
function urlsOf(data, row) {
  const root = data.roots[data.rootOf[row]], path = urlOfPath(data.paths[row]);
  const urls = [new URL(`${root.beside}/${path}`, document.baseURI).href, `${root.here}/${path}`];
  return urls[0] === urls[1] ? urls.slice(1) : urls;
}

function player(data, row) {
  const urls = urlsOf(data, row);
  const audio = element("audio", { controls: "", preload: "metadata" });
  const words = element("p", { class: "problem", role: "status" });
  const link = element("a", { href: urls[0] }, "Open the file");
  let tried = 0;
  const reasons = {
    3: "it is damaged, or coded in a way that the browser does not know",
    4: "it is not there, or the browser does not know its format",
  };
  audio.addEventListener("error", () => {
    if (++tried < urls.length) {
      audio.src = urls[tried];
      link.href = urls[tried];
      return;
    }
    const why = reasons[audio.error?.code] ?? "reading it was ended";
    words.textContent =
      `This browser cannot play the file (${data.codecs[data.codecOf[row]]}): ${why}.`;
    audio.hidden = true;
  });
  audio.src = urls[0];
  return { audio, parts: [audio, words, link] };
}
