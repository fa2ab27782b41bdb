"use strict";
// Everything from data is put on the page as text nodes: nothing here ever makes HTML of a string.
const page = (() => {
  const $ = (id) => document.getElementById(id);

  const make = (tag, name, ...children) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children);
    return element;
  };

  const root = document.documentElement;
  $("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const say = (text) => {
    $("said").textContent = text;
    $("said").hidden = !text;
  };

  // Work during which keys do nothing; what goes wrong in it is said.
  let busy = 0;
  const during = async (work) => {
    busy += 1;
    document.body.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      say(error.message);
    } finally {
      busy -= 1;
      document.body.setAttribute("aria-busy", String(busy > 0));
    }
  };

  const send = async (question, fields = {}) => {
    let reply;
    try {
      reply = await fetch(`api/${question}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(fields),
      });
    } catch {
      throw new Error("The server does not answer. What you decided is kept; start the command again.");
    }
    const text = await reply.text();
    let value;
    try { value = JSON.parse(text); } catch { value = { said: text }; }
    if (!reply.ok) throw new Error(value.said);
    return value;
  };

  // One question after the other, so that keys pressed in a hurry are answered in their order.
  let last = Promise.resolve();
  const ask = (question, fields = {}) => {
    const answer = last.then(() => send(question, fields));
    last = answer.catch(() => {});
    return answer;
  };

  const number = (value) => value.toLocaleString("en");
  const percent = (value) => `${(100 * value).toFixed(1)} %`;

  const progress = (done, all) => {
    $("bar").setAttribute("aria-valuemax", all);
    $("bar").setAttribute("aria-valuenow", done);
    $("fill").style.width = `${all ? (100 * done) / all : 0}%`;
  };

  const turns = (prompt) => prompt.map(([role, text], place) =>
    make("p", place === prompt.length - 1 ? "turn asked" : "turn", ...(prompt.length > 1 ? [make("span", "who", role)] : []), text));

  // Keys do what the buttons at the foot do, except where somebody types. While something is being answered
  // they do nothing: a second press would decide about a row that nobody has seen.
  const keys = (actions) => {
    const act = (key) => {
      if (busy) return;
      say("");
      during(actions[key]);
    };
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
      if (!(event.key in actions)) return;
      event.preventDefault();
      act(event.key);
    });
    for (const button of document.querySelectorAll("[data-key]")) {
      button.addEventListener("click", () => act(button.dataset.key));
    }
  };

  return { $, make, say, send, ask, during, number, percent, progress, turns, keys };
})();
