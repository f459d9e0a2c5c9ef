// Keeps the page as the server shows it: each event has the pieces that changed, as HTML of the same templates.
"use strict";

/** The server says something every 2 seconds; after so long a silence, the page says that it is old. */
const SILENCE_MS = 10000;
/** Pause before a refused stream is asked for again. */
const RETRY_MS = 5000;

const state = document.getElementById("live");
/** Where the events are, and what to say of them, in the language of the page. */
const words = state.dataset;
let heard = performance.now();

function say(text, isOld) {
  if (state.textContent !== text) state.textContent = text;
  document.body.classList.toggle("old", isOld);
}

function follow() {
  const events = new EventSource(words.events);
  events.addEventListener("message", ({ data }) => {
    heard = performance.now();
    for (const [id, html] of Object.entries(JSON.parse(data))) {
      const piece = document.getElementById(id);
      if (piece) piece.innerHTML = html;
    }
    say(words.live, false);
  });
  events.addEventListener("error", () => {
    // A broken stream is opened again by the browser, a refused one is not.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

follow();
setInterval(() => {
  if (performance.now() - heard > SILENCE_MS) say(words.old, true);
}, 1000);
