// What is wrong with how a page is laid out: parts beyond its edges, text that is cut off, text on other text, text
// that is hard to tell from what it stands on. The value is a list of sentences.
(() => {
  const root = document.documentElement;
  const width = root.clientWidth;
  const faults = new Set();
  const styles = new Map();
  const style = (element) => styles.get(element) ?? styles.set(element, getComputedStyle(element)).get(element);
  const isSvg = (element) => element instanceof SVGSVGElement;
  const scrolls = (element) => /auto|scroll/.test(style(element).overflowX);
  const clips = (element) => /hidden|clip/.test(style(element).overflowX + style(element).overflowY) || isSvg(element);
  const ancestors = function* (element) { for (let e = element; e && e !== root; e = e.parentElement) yield e; };
  const short = (text) => { const said = text.trim().replace(/\s+/g, " "); return said.length > 50 ? `${said.slice(0, 50)}…` : said; };
  const named = (element) => {
    const kind = element.getAttribute("class");
    return element.localName + (element.id ? `#${element.id}` : kind ? `.${kind.trim().split(/\s+/).join(".")}` : "");
  };

  // What only screen readers read, what a control hides until it is asked for, and what is not drawn at all.
  const unseen = new Map();
  const isUnseen = (element) => {
    if (!element || element === root) return false;
    if (!unseen.has(element)) {
      const box = element.getBoundingClientRect();
      const its = style(element);
      const away = its.position === "fixed" && (box.right <= 0 || box.left >= width);
      unseen.set(element, its.display === "none" || its.visibility === "hidden" || its.opacity === "0" || away ||
        its.clipPath.startsWith("inset(50%") || isUnseen(element.parentElement));
    }
    return unseen.get(element);
  };

  if (root.scrollWidth > width) faults.add(`the page is ${root.scrollWidth} px wide in a window of ${width}`);
  const body = document.body ?? root;
  for (const element of body.querySelectorAll("*")) {
    if (element.ownerSVGElement || isUnseen(element)) continue;
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    if ((box.right > width + 1 || box.left < -1) && ![...ancestors(element.parentElement)].some(scrolls))
      faults.add(`${named(element)} lies from ${box.left.toFixed()} to ${box.right.toFixed()} of ${width} px`);
  }

  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const colour = (text) => {
    const parts = (text.match(/-?[\d.]+(e-?\d+)?/g) ?? []).map(Number);
    const [r, g, b] = text.startsWith("color") ? parts : parts.map((part, place) => (place < 3 ? part / 255 : part));
    return [r, g, b, parts[3] ?? 1];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((each, place) => each * a + below[place] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (const each of [...ancestors(element), root]) {
      if (style(each).backgroundImage !== "none") return null;
      const found = colour(style(each).backgroundColor);
      if (found[3] > 0) layers.push(found);
      if (found[3] === 1) break;
    }
    const paper = matchMedia("(prefers-color-scheme: dark)").matches ? [0.07, 0.07, 0.07] : [1, 1, 1];
    return layers.reverse().reduce((below, layer) => over(layer, below), paper);
  };
  const isPale = (element) => {
    const its = style(element);
    const below = element.closest("svg") ? ground(element.closest("svg")) : ground(element);
    if (!below) return false;
    const ink = over(colour(element.ownerSVGElement ? its.fill : its.color), below);
    const [one, other] = [light(ink), light(below)].sort((a, b) => b - a);
    const size = parseFloat(its.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(its.fontWeight) >= 700);
    return (one + 0.05) / (other + 0.05) < (large ? 3 : 4.5);
  };

  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const placed = new Map();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || /^(style|script|title|option)$/.test(parent.localName) || isUnseen(parent)) continue;
    range.selectNodeContents(node);
    const boxes = parent.ownerSVGElement ? [parent.getBoundingClientRect()] : [...range.getClientRects()];
    if (!boxes.some((box) => box.width > 1 && box.height > 1)) continue;
    const [left, right] = [Math.min(...boxes.map((b) => b.left)), Math.max(...boxes.map((b) => b.right))];
    const [top, bottom] = [Math.min(...boxes.map((b) => b.top)), Math.max(...boxes.map((b) => b.bottom))];
    let across = true;  // until something scrolls
    let down = true;
    let block = null;
    for (const each of ancestors(parent)) {
      const box = each.getBoundingClientRect();
      if (!each.ownerSVGElement && !block && style(each).display !== "inline") {
        block = each;
        if (right > box.right + 2 && !scrolls(each))
          faults.add(`“${short(node.data)}” is wider than ${named(each)}, which holds it`);
      }
      if (clips(each) && !scrolls(each)) {
        if (across && (right > box.right + 1.5 || left < box.left - 1.5)) faults.add(`“${short(node.data)}” is cut off at a side of ${named(each)}`);
        if (down && (bottom > box.bottom + 4 || top < box.top - 4)) faults.add(`“${short(node.data)}” is cut off in the height of ${named(each)}`);
      }
      across &&= !scrolls(each);
      down &&= !/auto|scroll/.test(style(each).overflowY);
    }
    if (isPale(parent)) faults.add(`“${short(node.data)}” in ${named(parent)} is hard to tell from its background`);
    const holder = parent.ownerSVGElement ?? (style(parent).position === "absolute" ? parent.offsetParent : null);
    if (holder) placed.set(holder, [...(placed.get(holder) ?? []), [node.data, { left, right, top, bottom }]]);
  }
  for (const [holder, texts] of placed)
    texts.forEach(([one, a], place) => texts.slice(place + 1).forEach(([other, b]) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
        faults.add(`“${short(one)}” and “${short(other)}” lie on each other in ${named(holder)}`);
    }));
  return [...faults];
})()
