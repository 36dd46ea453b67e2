"use strict";
// What a page needs only at times lies in files beside it. A page that is opened from disk cannot fetch them, but
// it can add a script: each file calls `give` with its name and its content.

const given = new Map(), asked = new Map();
const give = (name, content) => given.set(name, content);

function part(name) {
  if (!asked.has(name)) {
    asked.set(name, new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: encodeURIComponent(name) });
      script.addEventListener("load", () => resolve(given.get(name)));
      script.addEventListener("error", () => reject(new Error(`${name} is not beside this page`)));
      document.head.append(script);
    }));
  }
  return asked.get(name);
}

// The page's own document: axes, tasks, entries; in a file of its own where the page has many of them.
let own = null;
function pageData() {
  if (!own) {
    const inline = JSON.parse(document.getElementById("data").textContent);
    own = inline.part ? part(inline.part) : Promise.resolve(inline);
  }
  return own;
}
