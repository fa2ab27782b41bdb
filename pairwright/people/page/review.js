"use strict";
(() => {
  const { $, make, say, send, ask, during, number, progress, turns, keys } = page;
  const WORDS = { accept: "accepted", reject: "rejected", swap: "swapped", edit: "edited" };
  const REASONS = ["wrong", "no better", "says other things", "unsafe", "badly written", "prompt is broken"];
  const FILTERS = ["phrase", "status", "source", "state", "doubt", "measure", "low", "high"];
  let wanted = { view: 0, status: "kept" };
  let at = null;
  let row = null;
  let total = 0;
  let deciding = false;

  const diff = (pieces) => {
    const box = make("p", "diff");
    for (const [kind, text] of pieces) {
      const tag = { o: "del", n: "ins" }[kind];
      // A changed line break would be invisible.
      box.append(tag ? make(tag, "", text.replaceAll("\n", "↵\n")) : text);
    }
    return box;
  };

  const facts = (values) => {
    const found = make("dl", "");
    for (const [name, value] of Object.entries(values)) {
      const text = typeof value === "number" ? String(Math.round(value * 1000) / 1000) : value;
      found.append(make("div", "", make("dt", "", name.replaceAll("_", " ")), make("dd", "", text)));
    }
    return found;
  };

  const part = (title, ...body) => make("section", "", make("h2", "", title), ...body);
  const prose = (text) => make("p", "prose", text);
  const list = (items) => make("ul", "", ...items.map((text) => make("li", "", text)));

  const told = ({ kind, who, reason, at: when }) =>
    `${WORDS[kind]} by ${who}, ${when.slice(0, 16).replace("T", " ")} UTC${reason ? `: ${reason}` : ""}`;

  const vote = ({ judge, order, probability, reply }) =>
    [judge, order, probability === null ? "no verdict" : `P(chosen) ${probability}`, reply].filter(Boolean).join(" · ");

  const show = () => {
    const box = $("row");
    box.replaceChildren();
    if (!row) {
      box.append(make("p", "nothing", "No row is like that."));
      return;
    }
    const top = make("div", "top", make("span", row.kept ? "badge kept" : "badge", row.status));
    if (row.near) top.append(make("span", "badge near", "uncertain"));
    const last = row.decided[row.decided.length - 1];
    if (last) top.append(make("span", `badge ${last.kind}`, WORDS[last.kind]));
    top.append(make("code", "", row.id), make("span", "push", `${number(at + 1)} of ${number(total)}`));
    box.append(top);
    if (row.reason) box.append(make("p", "why", row.reason));
    box.append(...turns(row.prompt), diff(row.text));
    if (!row.pair) box.append(make("p", "why", "This row has one answer only; e writes the other."));
    box.append(facts(row.facts));
    if (row.rationale) box.append(part("Rationale", prose(row.rationale)));
    if (row.feedback) box.append(part("What the verifier says", prose(row.feedback)));
    if (row.edits.length) {
      box.append(part("Edits", list(row.edits.map((edit) =>
        Object.entries(edit).map(([name, text]) => `${name}: ${text}`).join(" · ")))));
    }
    if (row.votes.length) box.append(part("Verdicts", list(row.votes.map(vote))));
    if (Object.keys(row.lineage).length) box.append(part("From", facts(row.lineage)));
    if (row.decided.length) box.append(part("Decided", list(row.decided.map(told))));
  };

  const showProgress = (p) => {
    progress(p.decided, p.rows);
    const said = Object.entries(p.counts).map(([kind, n]) => `${number(n)} ${WORDS[kind]}`);
    const rate = p.mine > 1 && p.seconds > 0 ? p.mine / p.seconds : 0;
    const left = rate ? (p.rows - p.decided) / rate : 0;
    const parts = [`${number(p.decided)} of ${number(p.rows)} rows decided`, ...said];
    if (rate) parts.push(`${(60 * rate).toFixed(1)} a minute`, `${left > 7200 ? `${number(Math.round(left / 3600))} hours` : `${Math.ceil(left / 60)} min`} left`);
    $("progress").textContent = parts.join(" · ");
  };

  const close = () => {
    $("editor").hidden = $("rejecting").hidden = true;
    $("keys").hidden = false;
  };

  const take = (answer) => {
    ({ at, total, row } = answer);
    showProgress(answer.progress);
    close();
    show();
  };

  const load = async (fields) => {
    take(await ask("pair", { ...wanted, ...fields }));
    scrollTo(0, 0);
  };

  const filtered = () => {
    wanted = { view: Date.now() };
    for (const name of FILTERS) wanted[name] = $(name).value;
    $("low").disabled = $("high").disabled = !wanted.measure;
    return load({});
  };

  const decide = async (kind, fields = {}) => {
    if (!row || deciding) return;
    deciding = true;
    try {
      const next = { ...wanted, at: Math.min(at + 1, total - 1) };
      take(await ask("decide", { place: row.place, kind, ...fields, next }));
      scrollTo(0, 0);
    } finally {
      deciding = false;
    }
    $("row").classList.add("fresh");
    setTimeout(() => $("row").classList.remove("fresh"), 250);
  };

  const measured = async () => {
    if (!row || $("editor").hidden) return;
    const asked = row.place;
    const found = await ask("measure", { place: asked, text: $("text").value });
    if (row.place !== asked || $("editor").hidden) return;
    $("row").querySelector(".diff").replaceWith(diff(found.text));
    $("row").querySelector("dl").replaceWith(facts(found.facts));
  };

  const edit = () => {
    if (!row) return;
    close();
    $("editor").hidden = false;
    $("keys").hidden = true;
    $("text").value = row.chosen ?? row.rejected ?? "";
    $("text").focus();
    $("editor").scrollIntoView({ block: "nearest" });
  };

  const reject = () => {
    if (!row) return;
    close();
    $("rejecting").hidden = false;
    $("keys").hidden = true;
    $("reason").value = "";
    $("reason").focus();
    $("rejecting").scrollIntoView({ block: "nearest" });
  };

  const leave = () => { close(); show(); };
  const failed = (error) => say(error.message);

  let waiting = 0;
  $("text").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => measured().catch(failed), 150);
  });
  $("editor").addEventListener("submit", (event) => {
    event.preventDefault();
    during(() => decide("edit", { text: $("text").value }));
  });
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("editor").requestSubmit();
    if (event.key === "Escape") leave();
  });
  $("cancel").addEventListener("click", leave);
  $("keep").addEventListener("click", leave);
  $("rejecting").addEventListener("submit", (event) => {
    event.preventDefault();
    during(() => decide("reject", { reason: $("reason").value.trim() }));
  });
  $("reason").addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    const chosen = REASONS[Number(event.key) - 1];
    if (chosen && !$("reason").value) {
      event.preventDefault();
      during(() => decide("reject", { reason: chosen }));
    }
  });
  REASONS.forEach((reason, n) => {
    const button = make("button", "", reason, " ", make("kbd", "", String(n + 1)));
    button.type = "button";
    button.addEventListener("click", () => during(() => decide("reject", { reason })));
    $("reasons").append(button);
  });

  $("filters").addEventListener("submit", (event) => { event.preventDefault(); $("phrase").blur(); during(filtered); });
  $("phrase").addEventListener("keydown", (event) => {
    if (event.key === "Escape") { $("phrase").value = ""; $("phrase").blur(); during(filtered); }
  });
  for (const name of ["low", "high"]) {
    $(name).addEventListener("keydown", (event) => { if (event.key === "Escape") $(name).blur(); });
  }
  for (const name of ["status", "source", "state", "doubt", "measure", "low", "high"]) {
    $(name).addEventListener("change", () => { $(name).blur(); during(filtered); });
  }

  keys({
    a: () => decide("accept"),
    s: () => decide("swap"),
    r: reject,
    e: edit,
    u: async () => load({ place: (await ask("undo")).place }),
    ArrowRight: () => load({ at: Math.min(at + 1, total - 1) }),
    ArrowLeft: () => load({ at: Math.max(at - 1, 0) }),
    "/": () => $("phrase").focus(),
  });

  const option = (value, text) => { const o = make("option", "", text); o.value = value; return o; };

  const start = async () => {
    const found = await ask("start");
    $("run").textContent = `${found.run} · ${found.who}`;
    for (const [status, count] of Object.entries(found.statuses)) {
      $("status").append(option(status, `${status} (${number(count)})`));
    }
    $("status").append(option("dropped", "all that were dropped"), option("", "all rows"));
    if (!("kept" in found.statuses)) wanted.status = $("status").value;
    if (found.strangers) say(`${number(found.strangers)} decisions are about rows that this run no longer has.`);
    await load({});
  };
  // These are asked beside the others: no key waits for them.
  const showFilters = async () => {
    const { sources, measures } = await send("filters");
    $("source").append(option("", "every source"), ...sources.map(([value, text]) => option(value, text)));
    $("measure").append(...measures.map((name) => option(name, name.replaceAll("_", " "))));
    $("between").hidden = !measures.length;
    $("source").hidden = sources.length < 2;
  };
  const showPeople = async () => {
    const { between } = await send("people");
    $("people").hidden = !between.length;
    $("people").textContent = between.join(". ");
  };
  during(start).then(showFilters).then(showPeople).catch(failed);
})();
