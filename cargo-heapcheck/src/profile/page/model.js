// What the page computes, apart from how it draws: no function here knows of a document.
"use strict";
const heapcheckModel = (() => {
  // Some stacks as a tree. A branch: {name, kind, file, bytes, blocks, below, above, depth}.
  function grow(data, samples) {
    const branch = (name, kind, file, above) =>
      ({ name, kind, file, bytes: 0, blocks: 0, below: new Map(), above, depth: above ? above.depth + 1 : 0 });
    const root = branch("all", "test", "", null);
    for (const [test, functions, bytes, blocks] of samples) {
      let at = root;
      at.bytes += bytes;
      at.blocks += blocks;
      const step = (key, name, kind, file) => {
        let next = at.below.get(key);
        if (!next) at.below.set(key, next = branch(name, kind, file, at));
        next.bytes += bytes;
        next.blocks += blocks;
        at = next;
      };
      step("test " + test, data.tests[test].name, "test", data.tests[test].program);
      for (const number of functions) {
        const [name, file, kind] = data.functions[number];
        step(number, name, kind, file);
      }
    }
    return root;
  }

  // Where the branches are drawn, as shares of the width, when `zoomed` fills it; those above it fill it, too.
  function layOut(zoomed, metric, narrowest) {
    const boxes = [];
    for (let above = zoomed.above; above; above = above.above) boxes.push({ branch: above, x: 0, width: 1, above: true });
    const whole = Math.max(zoomed[metric], 1);
    const place = (branch, x) => {
      const width = Math.max(branch[metric], 0) / whole;
      if (width < narrowest) return;
      boxes.push({ branch, x, width, above: false });
      const below = [...branch.below.values()].sort((a, b) => b[metric] - a[metric] || (a.name < b.name ? -1 : 1));
      for (const next of below) {
        place(next, x);
        x += Math.max(next[metric], 0) / whole;
      }
    };
    place(zoomed, 0);
    return boxes;
  }

  // What was typed as a test of texts: a regular expression where it is one, else as it stands; null for nothing.
  function matcher(typed) {
    if (!typed) return null;
    try {
      const regex = new RegExp(typed, "i");
      return text => regex.test(text);
    } catch {
      const plain = typed.toLowerCase();
      return text => text.toLowerCase().includes(plain);
    }
  }

  const branchMatches = (branch, matches) => matches(branch.name) || (branch.file !== "" && matches(branch.file));

  // What leaked from stacks with a function that matches; each stack counts once.
  function found(root, matches) {
    let [bytes, blocks] = [0, 0];
    const look = branch => {
      if (branch.depth > 0 && branchMatches(branch, matches)) {
        bytes += branch.bytes;
        blocks += branch.blocks;
      } else {
        branch.below.forEach(look);
      }
    };
    look(root);
    return { bytes, blocks };
  }

  // The branch that a list of names leads to, as far as it does.
  function follow(root, names) {
    let at = root;
    for (const name of names) {
      const next = [...at.below.values()].find(branch => branch.name === name);
      if (!next) break;
      at = next;
    }
    return at;
  }

  const pathOf = branch => branch.above ? [...pathOf(branch.above), branch.name] : [];

  function sorted(leaks, column, descending) {
    const key = leak => leak[column] ?? "";
    const compare = (a, b) => typeof key(a) === "number" ? key(a) - key(b) : key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
    return leaks.map((leak, at) => [leak, at])
      .sort(([a, i], [b, j]) => (descending ? compare(b, a) : compare(a, b)) || i - j).map(([leak]) => leak);
  }

  function leakMatches(data, leak, matches) {
    return [leak.kind, leak.type, leak.test, leak.thread, leak.place].some(text => text && matches(text))
      || leak.trace.some(([number]) => matches(data.functions[number][0]) || matches(data.functions[number][1]));
  }

  const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const amount = (thing, metric) => counted(thing[metric], metric === "bytes" ? "byte" : "block");
  const percent = (part, whole) => whole === 0 ? "0%" : `${(part / whole * 100).toFixed(part === whole ? 0 : 1)}%`;

  return { grow, layOut, matcher, branchMatches, found, follow, pathOf, sorted, leakMatches, counted, amount, percent };
})();
if (typeof module !== "undefined") module.exports = heapcheckModel;
