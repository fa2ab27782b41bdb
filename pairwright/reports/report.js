"use strict";
// Everything from data is put on the page as text nodes: nothing here ever makes HTML of a string.
(() => {
  const root = document.documentElement;
  const make = (tag, name, ...children) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children);
    return element;
  };

  const turnTheme = () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };
  document.getElementById("theme").addEventListener("click", turnTheme);

  const source = document.getElementById("data");
  if (!source) {
    addEventListener("keydown", (event) => { if (event.key === "t") turnTheme(); });
    return;
  }
  const rows = JSON.parse(source.textContent);
  const list = document.getElementById("list");
  const pane = document.getElementById("row");
  const search = document.getElementById("search");
  const wanted = { status: "", run: "", phrase: "" };
  let shown = [];
  let place = 0;

  for (const row of rows) {
    row.last = row.prompt.length ? row.prompt[row.prompt.length - 1][1] : "";
    const side = (other) => row.text.filter((piece) => piece[0] !== other).map((piece) => piece[1]).join("");
    const texts = [...row.prompt.map((turn) => turn[1]), side("o"), side("n"), row.reason, row.rationale];
    row.found = texts.join("\n").toLowerCase().replace(/\s+/g, " ");
  }

  const kinds = { o: "del", n: "ins" };
  const diff = (row) => {
    const box = make("p", "diff");
    for (const [kind, text] of row.text) {
      // A changed line break would be invisible.
      box.append(kinds[kind] ? make(kinds[kind], "", text.replaceAll("\n", "↵\n")) : text);
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

  const part = (title, body) => [make("h4", "", title), body];

  const show = () => {
    pane.replaceChildren();
    const row = shown[place];
    if (!row) {
      pane.append(make("p", "nothing", "No row is like that."));
      return;
    }
    const back = make("button", "", "‹");
    const on = make("button", "", "›");
    back.setAttribute("aria-label", "previous row");
    on.setAttribute("aria-label", "next row");
    back.addEventListener("click", () => go(place - 1));
    on.addEventListener("click", () => go(place + 1));
    const badge = make("span", row.status === "kept" ? "badge kept" : "badge", row.status);
    const count = `${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
    pane.append(make("div", "top", badge, make("code", "", row.id), make("span", "push", count, back, on)));
    if (row.reason) pane.append(make("p", "why", row.reason));
    for (const [role, text] of row.prompt) {
      const who = row.prompt.length > 1 ? [make("span", "who", role)] : [];
      pane.append(make("p", "turn", ...who, text));
    }
    pane.append(diff(row));
    const aside = make("div", "aside");
    if (row.rationale) aside.append(...part("rationale", make("p", "prose", row.rationale)));
    if (row.edits.length) {
      const edits = make("ul", "");
      for (const edit of row.edits) {
        const item = make("li", "");
        if ("find" in edit || "replace" in edit) {
          item.append(make("del", "", edit.find ?? ""), " ", make("ins", "", edit.replace ?? ""));
          if (edit.reason) item.append(` — ${edit.reason}`);
        } else {
          item.append(Object.entries(edit).map(([name, value]) => `${name}: ${value}`).join(" · "));
        }
        edits.append(item);
      }
      aside.append(...part("edits", edits));
    }
    if (row.votes.length) {
      const votes = make("ul", "");
      for (const vote of row.votes) {
        const p = vote.probability === null ? "no verdict" : `chosen ${(100 * vote.probability).toFixed(1)} %`;
        const item = make("li", "", [vote.judge, vote.order, p].filter(Boolean).join(" · "));
        if (vote.reply) item.append(make("p", "why prose", vote.reply));
        votes.append(item);
      }
      aside.append(...part("votes", votes));
    }
    if (Object.keys(row.facts).length) aside.append(...part("measures", facts(row.facts)));
    if (Object.keys(row.lineage).length) aside.append(...part("lineage", facts(row.lineage)));
    pane.append(aside);
  };

  const go = (to, scroll = true) => {
    list.children[place]?.setAttribute("aria-selected", "false");
    place = Math.max(0, Math.min(to, shown.length - 1));
    const item = list.children[place];
    if (item) {
      item.setAttribute("aria-selected", "true");
      list.setAttribute("aria-activedescendant", item.id);
      if (scroll) {
        const [top, end] = [item.offsetTop - list.offsetTop, item.offsetTop - list.offsetTop + item.offsetHeight];
        if (top < list.scrollTop) list.scrollTop = top;
        else if (end > list.scrollTop + list.clientHeight) list.scrollTop = end - list.clientHeight;
      }
    }
    show();
  };

  const fill = () => {
    shown = rows.filter((row) =>
      (!wanted.status || row.status === wanted.status) &&
      (wanted.run === "" || row.run === Number(wanted.run)) &&
      (row.found.includes(wanted.phrase) || row.id.startsWith(wanted.phrase)));
    list.replaceChildren(...shown.map((row, index) => {
      const distance = row.facts.edit_distance;
      const more = distance === undefined ? row.status : `${row.status} · edit distance ${distance.toFixed(2)}`;
      const item = make("div", "item", make("b", "", row.last.slice(0, 120) || row.id), make("span", "", more));
      item.id = `item-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.addEventListener("click", () => go(index, false));
      return item;
    }));
    list.scrollTop = 0;
    place = 0;
    go(0);
  };

  const press = (name, value) => {
    wanted[name] = value;
    for (const button of document.querySelectorAll(`#${name === "run" ? "runs" : "statuses"} button`)) {
      button.setAttribute("aria-pressed", String(button.dataset[name] === value));
    }
    fill();
  };
  for (const button of document.querySelectorAll("#statuses button")) {
    button.addEventListener("click", () => press("status", button.dataset.status));
  }
  for (const button of document.querySelectorAll("#runs button")) {
    button.addEventListener("click", () => press("run", button.dataset.run));
  }
  for (const button of document.querySelectorAll("button.browse")) {
    button.addEventListener("click", () => {
      wanted.run = document.getElementById("runs") ? button.dataset.run : "";
      press("run", wanted.run);
      press("status", button.dataset.status);
      document.getElementById("pairs").scrollIntoView();
      list.focus({ preventScroll: true });
    });
  }
  search.addEventListener("input", () => {
    wanted.phrase = search.value.toLowerCase().replace(/\s+/g, " ").trim();
    fill();
  });

  const nextStatus = () => {
    const all = [...document.querySelectorAll("#statuses button")].map((button) => button.dataset.status);
    press("status", all[(all.indexOf(wanted.status) + 1) % all.length]);
  };
  const keys = {
    j: () => go(place + 1),
    k: () => go(place - 1),
    s: nextStatus,
    t: turnTheme,
    "/": () => search.focus(),
  };
  const inList = {
    ArrowDown: () => go(place + 1),
    ArrowUp: () => go(place - 1),
    PageDown: () => go(place + 10),
    PageUp: () => go(place - 10),
    Home: () => go(0),
    End: () => go(shown.length - 1),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === search) {
      if (event.key === "Escape" || event.key === "Enter") list.focus();
      return;
    }
    const act = keys[event.key] ?? (event.target === list ? inList[event.key] : undefined);
    if (act) {
      event.preventDefault();
      act();
    }
  });
  fill();
})();
