"use strict";
(() => {
  const { $, make, say, ask, during, number, percent, progress, turns, keys } = page;
  let pair = null;

  const rate = (title, { value, low, high, n }) => {
    const shown = value === null ? "nothing to count yet" : `${percent(value)}  (${percent(low)} – ${percent(high)}, n = ${number(n)})`;
    return make("div", "tile", make("span", "", title), make("b", "", shown));
  };

  const reveal = (p) => {
    const box = $("revealed");
    box.hidden = !p.agreement;
    if (!p.agreement) return;
    box.replaceChildren(
      rate("You prefer what the run chose", p.agreement),
      rate("You say the same when a pair comes turned round", p.consistency),
      ...(p.between.length ? [make("div", "tile people", make("span", "", "Between people"), ...p.between.map((line) => make("p", "", line)))] : []),
      make("p", "soft", `Intervals of 95 % (Wilson). ${number(p.ties)} ties are left out of the first.`),
    );
  };

  const take = (answer) => {
    pair = answer.pair;
    const p = answer.progress;
    progress(p.done, p.pairs);
    $("run").textContent = p.who;
    const until = p.reveal && !p.agreement ? ` · agreement is shown after ${number(p.reveal)}` : "";
    $("progress").textContent = `${number(p.done)} of ${number(p.pairs)} pairs labelled${until}`;
    reveal(p);
    $("asked").replaceChildren(...(pair ? turns(pair.prompt) : [make("p", "nothing", "Every pair is labelled. Thank you.")]));
    $("answers").hidden = $("why").hidden = !pair;
    $("reason").value = "";
    $("first").textContent = pair ? pair.answers[0] : "";
    $("second").textContent = pair ? pair.answers[1] : "";
    if (answer.again) say("You labelled that pair in another tab already; this is the next one.");
    scrollTo(0, 0);
  };

  const label = (answer) => async () => {
    if (!pair) return;
    const { place, turned } = pair;
    take(await ask("label", { place, turned, answer, reason: $("reason").value.trim() }));
  };

  // The reason is written first and goes with the key that says which is better.
  const leave = (event) => { event.preventDefault(); $("reason").blur(); };
  $("why").addEventListener("submit", leave);
  $("reason").addEventListener("keydown", (event) => { if (event.key === "Escape") leave(event); });

  keys({
    1: label("first"),
    2: label("second"),
    ArrowLeft: label("first"),
    ArrowRight: label("second"),
    t: label("tie"),
    b: label("both_bad"),
    s: label("skip"),
    w: () => $("reason").focus(),
    u: async () => take(await ask("undo")),
  });
  during(async () => take(await ask("next")));
})();
