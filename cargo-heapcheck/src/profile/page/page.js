// Draws the page. Texts reach it as text nodes only, so nothing in a name is ever taken for markup.
"use strict";
(() => {
  const model = heapcheckModel;
  const byId = id => document.getElementById(id);
  addEventListener("error", event => {
    byId("trouble").hidden = false;
    byId("trouble").textContent = "this page has a fault, please report it: " + event.message;
  });

  const data = JSON.parse(byId("data").textContent);
  const trees = { leaked: model.grow(data, data.samples), in_use: data.in_use && model.grow(data, data.in_use) };
  const metrics = ["bytes", "blocks", ...(trees.in_use ? ["in_use_bytes", "in_use_blocks"] : [])];
  const usual = trees.in_use && trees.leaked.blocks === 0 ? "in_use_bytes" : "bytes";
  const columns = [
    ["bytes", "bytes", true], ["blocks", "blocks", true], ["retained_bytes", "keeps alive", true], ["kind", "kind"],
    ["type", "type"], ["place", "allocated at"], ["test", data.tests.some(test => test.is_test) ? "test" : "program"],
    ["thread", "thread"],
  ];
  const state = { search: "", metric: "bytes", sort: "", order: "descending", leak: "", zoom: [], theme: "" };

  function make(name, attributes = {}, ...inner) {
    const is_drawn = ["svg", "g", "rect", "text", "tspan", "title", "path", "defs", "marker"].includes(name);
    const made = is_drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inner);
    return made;
  }

  // The state is kept in the address, so that what is seen can be sent to somebody.
  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    state.search = given.get("search") ?? "";
    // Where nothing leaked, what is in use is all there is to see.
    state.metric = metrics.includes(given.get("metric")) ? given.get("metric") : usual;
    state.sort = columns.some(([key]) => key === given.get("sort")) ? given.get("sort") : "";
    state.order = given.get("order") === "ascending" ? "ascending" : "descending";
    state.leak = given.get("leak") ?? "";
    state.zoom = given.getAll("zoom");
    state.theme = ["dark", "light"].includes(given.get("theme")) ? given.get("theme") : "";
  }
  function writeAddress() {
    const given = new URLSearchParams();
    for (const key of ["search", "sort", "leak", "theme"]) if (state[key]) given.set(key, state[key]);
    if (state.metric !== usual) given.set("metric", state.metric);
    if (state.order !== "descending") given.set("order", state.order);
    for (const name of state.zoom) given.append("zoom", name);
    history.replaceState(null, "", "#" + given);
  }
  function change(what) {
    Object.assign(state, what);
    writeAddress();
    draw();
  }

  function drawSummary() {
    const count = outcome => data.tests.filter(test => test.outcome === outcome).length;
    byId("headline").textContent = data.headline;
    const cards = [[model.counted(data.bytes, "byte"), "leaked", data.bytes > 0], [model.counted(data.blocks, "block"), "leaked", data.blocks > 0]];
    for (const [outcome, word] of [["leaked", "leaked"], ["failed", "failed"], ["no-verdict", "without a verdict"], ["clean", "clean"]]) {
      const noun = data.tests.every(test => test.is_test) ? "test" : "program";
      if (count(outcome)) cards.push([model.counted(count(outcome), noun), word, outcome !== "clean"]);
    }
    if (trees.in_use) {
      cards.push([model.counted(trees.in_use.bytes, "byte"), "in use at the end", false], [model.counted(trees.in_use.blocks, "block"), "in use at the end", false]);
    }
    if (data.suppressed_bytes) cards.push([model.counted(data.suppressed_bytes, "byte"), "suppressed", false]);
    byId("summary").replaceChildren(...cards.map(([number, word, is_bad]) =>
      make("div", { class: is_bad ? "card bad" : "card" }, make("b", {}, number), word)));
    for (const test of data.tests.filter(test => test.reason)) {
      byId("summary").append(make("div", { class: "card bad" }, make("b", {}, test.name), test.reason));
    }
  }

  function drawFlame() {
    const row = 19, letter = 6.7;
    const flame = byId("flame");
    const width = Math.max(flame.clientWidth, 300);
    const shows_in_use = state.metric.startsWith("in_use_");
    const [root, metric] = shows_in_use ? [trees.in_use, state.metric.slice("in_use_".length)] : [trees.leaked, state.metric];
    byId("what").textContent = shows_in_use ? "was in use at the end from there, leaked or not" : "leaked from there";
    const zoomed = model.follow(root, state.zoom);
    const matches = model.matcher(state.search);
    const boxes = model.layOut(zoomed, metric, 0.4 / width);
    const rows = boxes.reduce((most, box) => Math.max(most, box.branch.depth + 1), 1);
    flame.setAttribute("viewBox", `0 0 ${width} ${rows * row}`);
    flame.setAttribute("height", rows * row);
    let hits = 0;
    flame.replaceChildren(...boxes.map(({ branch, x, width: share, above }) => {
      const hit = matches !== null && branch.depth > 0 && model.branchMatches(branch, matches);
      hits += hit;
      const told = `${branch.name}\n${model.amount(branch, "bytes")} in ${model.amount(branch, "blocks")} (${model.percent(branch[metric], root[metric])})${branch.file ? "\n" + branch.file : ""}`;
      const box = make("g", { class: (hit ? "hit" : "") + (above ? " above" : "") }, make("title", {}, told),
        make("rect", { class: branch.kind, x: x * width, y: branch.depth * row, width: share * width, height: row - 1 }));
      const room = Math.floor((share * width - 6) / letter);
      if (room >= Math.min(4, branch.name.length)) {
        const name = branch.name.length > room ? branch.name.slice(0, room - 1) + "…" : branch.name;
        box.append(make("text", { x: x * width + 3, y: branch.depth * row + 13 }, name));
      }
      box.addEventListener("click", () => change({ zoom: model.pathOf(branch) }));
      box.addEventListener("pointerenter", () => { byId("pointed").textContent = told.replaceAll("\n", "  ·  "); });
      return box;
    }));
    flame.dataset.boxes = boxes.length;
    flame.dataset.hits = hits;
    const sum = matches && model.found(root, matches);
    byId("found").textContent = !sum ? "" : `“${state.search}” is in the stacks of ${model.amount(sum, metric)}, ${model.percent(sum[metric], root[metric])} of all`;
  }

  function drawLeaks() {
    const table = byId("leaks");
    table.tHead.replaceChildren(make("tr", {}, ...columns.map(([key, word, is_number]) => {
      const heading = make("th", { scope: "col", tabindex: 0, class: is_number ? "number" : "" }, word);
      if (state.sort === key) heading.setAttribute("aria-sort", state.order);
      const sort = () => change({ sort: key, order: state.sort === key && state.order === "descending" ? "ascending" : "descending" });
      heading.addEventListener("click", sort);
      heading.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
      return heading;
    })));
    const matches = model.matcher(state.search);
    let shown = data.leaks.filter(leak => !matches || model.leakMatches(data, leak, matches));
    if (state.sort) shown = model.sorted(shown, state.sort, state.order === "descending");
    table.dataset.rows = shown.length;
    table.tBodies[0].replaceChildren(...shown.flatMap(leak => {
      const is_open = String(leak.number) === state.leak;
      const row = make("tr", { class: `row${is_open ? " open" : ""}${leak.counts ? "" : " faint"}`, title: leak.counts ? "" : "not in the sums" }, ...columns.map(([key, , is_number]) => {
        const value = leak[key] ?? "";
        const kind = is_number ? "number" : ["type", "place"].includes(key) ? "code" : "";
        return make("td", { class: kind }, is_number ? value.toLocaleString("en") : value);
      }));
      row.addEventListener("click", () => change({ leak: is_open ? "" : String(leak.number) }));
      return is_open ? [row, make("tr", { class: "open" }, make("td", { colspan: columns.length }, ...details(leak)))] : [row];
    }));
  }

  function details(leak) {
    const stack = make("pre", { class: "stack" });
    for (const [number, line, is_inlined] of leak.trace) {
      const [name, file, kind] = data.functions[number];
      const place = file && kind !== "plumbing" ? `  ${file}${line ? ":" + line : ""}` : "";
      stack.append(make("span", { class: kind + "-line" }, `${name}${place}${is_inlined ? " (inlined)" : ""}\n`));
    }
    if (leak.truncated) stack.append("(the stack goes on; it was recorded up to here)\n");
    const parts = [make("h3", {}, "allocated here"), stack];
    const drawn = leakGraph(leak);
    if (drawn) parts.unshift(make("h3", {}, "how it hangs together"), drawn);
    for (const [place, blocks] of leak.also) parts.push(make("p", { class: "note" }, `also from ${place}: ${model.counted(blocks, "block")}`));
    for (const other of leak.others) parts.push(make("p", { class: "note" }, `also in the cycle: ${other.blocks} × ${other.type || "block"}, ${model.counted(other.bytes, "byte")}`));
    if (leak.held_by) parts.unshift(make("h3", {}, "still held by"), make("pre", {}, leak.held_by));
    for (const help of leak.help) parts.unshift(make("p", { class: "help" }, `help: ${help}`));
    parts.push(make("p", { class: "note" }, `largest block ${model.counted(leak.largest_bytes, "byte")}; signature ${leak.signature}`));
    return parts;
  }

  const cut = (text, letters) => text.length > letters ? text.slice(0, letters - 1) + "…" : text;

  // The circle as boxes one below the other, with the fields that lead from each to the next; the one that closes it goes
  // back up. Below that, indented, what the leak keeps alive.
  function leakGraph(leak) {
    if (!leak.members.length && !leak.kept.length && !leak.retained_blocks) return null;
    const left = 90, wide = 470, high = 44, gap = 34, row = 40, step = 34;
    const drawn = make("svg", { class: "graph", role: "img", "aria-label": "leak graph" },
      make("defs", {}, make("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" }, make("path", { d: "M0 0L8 4L0 8z" }))));
    let y = 2, nodes = 0;
    function box(x, height, kind, title, about) {
      nodes += 1;
      drawn.append(make("g", { class: "node " + kind }, make("title", {}, `${title}\n${about}`),
        make("rect", { x, y, width: wide, height, rx: 6 }),
        make("text", { x: x + 10, y: y + 16 }, cut(title, 62)),
        make("text", { class: "small", x: x + 10, y: y + 31 }, cut(about, 68))));
    }
    const from = thing => thing.place ? `from ${thing.place}` : "";
    const told = parts => parts.filter(Boolean).join(", ");
    const blocks = leak.members.length ? leak.members : [{ type: leak.type, bytes: leak.bytes, blocks: leak.blocks, place: leak.place }];
    const first = y + high / 2;
    blocks.forEach((block, at) => {
      const many = block.blocks > 1 ? `${model.counted(block.blocks, "block")}` : block.alike > 1 ? `one of ${block.alike}` : "";
      box(left, high, at === 0 ? "start" : "", block.type || "a block", told([model.counted(block.bytes, "byte"), many, from(block)]));
      const middle = y + high / 2;
      y += high;
      if (block.pointer && at + 1 === blocks.length) {
        drawn.append(make("path", { class: "closing", "marker-end": "url(#tip)", d: `M${left} ${middle}C${left - 75} ${middle} ${left - 75} ${first} ${left - 1} ${first}` }),
          make("text", { class: "closing-label", x: left, y: y + 18 }, "↑ " + cut(block.pointer, 76)));
      } else if (block.pointer) {
        drawn.append(make("path", { "marker-end": "url(#tip)", d: `M${left + 40} ${y}V${y + gap - 1}` }),
          make("text", { class: "small", x: left + 52, y: y + 21 }, cut(block.pointer, 76)));
      }
      y += gap;
    });
    const level = (branches, depth, top) => branches.forEach(branch => {
      const x = left + step * depth;
      drawn.append(make("path", { "marker-end": "url(#tip)", d: `M${x - step / 2} ${top}V${y + row / 2}H${x - 1}` }));
      const name = branch.more ? "and more" : branch.type || "a block";
      const count = branch.blocks > 1 ? `${branch.blocks.toLocaleString("en")} × ` : "";
      box(x, row - 4, "kept", `${branch.pointer ? branch.pointer + ": " : ""}${count}${name}`, told([model.counted(branch.bytes, "byte"), from(branch)]));
      const below = y + row - 4;
      y += row;
      level(branch.below, depth + 1, below);
    });
    const kept = leak.kept.length ? leak.kept : leak.retained_blocks ? [{ more: true, blocks: leak.retained_blocks, bytes: leak.retained_bytes, below: [] }] : [];
    if (kept.length) {
      y += leak.members.length ? 4 : -gap + 10;
      drawn.append(make("text", { class: "small", x: left, y: y + 10 }, `keeps ${model.counted(leak.retained_bytes, "byte")} in ${model.counted(leak.retained_blocks, "other block")} alive`));
      y += 20;
      level(kept, 1, y - 6);
    }
    const depth = branches => branches.length ? 1 + Math.max(...branches.map(branch => depth(branch.below))) : 0;
    const width = left + wide + step * depth(kept) + 20;
    drawn.setAttribute("viewBox", `0 0 ${width} ${y + 4}`);
    drawn.setAttribute("width", width);
    drawn.setAttribute("height", y + 4);
    drawn.dataset.nodes = nodes;
    return drawn;
  }

  function drawRest() {
    const matches = model.matcher(state.search);
    const graphs = data.leaks.filter(leak => leak.members.length + leak.kept.length && (!matches || model.leakMatches(data, leak, matches))).slice(0, 50);
    const parts = graphs.flatMap(leak => [make("h3", {}, `${leak.kind}: ${model.counted(leak.bytes, "byte")} in ${model.counted(leak.blocks, "block")}${leak.type ? " of " + leak.type : ""}`), leakGraph(leak)]);
    byId("graphs").hidden = graphs.length === 0;
    byId("graphs").replaceChildren(make("h2", {}, "How it hangs together"), ...parts);
  }

  function drawOnce() {
    drawSummary();
    byId("faults").hidden = data.faults.length === 0;
    for (const fault of data.faults) {
      byId("faults").append(make("h3", {}, `${fault.what}, ${fault.test}`));
      for (const [what, trace] of fault.stacks) byId("faults").append(make("p", { class: "note" }, what), make("pre", {}, trace.join("\n")));
    }
    byId("notes").hidden = data.notes.length === 0;
    byId("notes").lastElementChild.replaceChildren(...data.notes.map(note => make("li", {}, note)));
    for (const option of [...byId("metric").options]) if (!metrics.includes(option.value)) option.remove();
    byId("metric").addEventListener("change", event => change({ metric: event.target.value }));
    byId("search").addEventListener("input", event => change({ search: event.target.value }));
    const prefersDark = matchMedia("(prefers-color-scheme: dark)");
    byId("theme").addEventListener("click", () => change({ theme: document.documentElement.classList.contains("dark") ? "light" : "dark" }));
    prefersDark.addEventListener("change", draw);
    addEventListener("resize", drawFlame);
    addEventListener("hashchange", () => { readAddress(); draw(); });
    addEventListener("keydown", event => {
      if (event.key === "/" && event.target === document.body) { byId("search").focus(); event.preventDefault(); }
      if (event.key === "Escape") change({ zoom: [], search: "" });
    });
  }

  function draw() {
    const is_dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("dark", is_dark);
    byId("metric").value = state.metric;
    if (byId("search").value !== state.search) byId("search").value = state.search;
    drawFlame();
    drawLeaks();
    drawRest();
    document.documentElement.dataset.ready = "yes";
  }

  readAddress();
  drawOnce();
  draw();
})();
