// What does not fit on the page at this width, each in words: overflow, overlaps, text cut off, small targets. Run in the page.
(finger) => {
  const faults = [];
  const isClipped = (head) => head !== null && getComputedStyle(head).clipPath !== "none";
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest(".unseen, .skip, .teller") && !isClipped(element.closest("thead"));
  const where = (element) => `<${element.tagName.toLowerCase()}${element.className?.baseVal ?? element.className ? "." + (element.className.baseVal ?? element.className) : ""}> ${(element.textContent || element.name || "").trim().replace(/\s+/g, " ").slice(0, 50)}`;
  const boxes = (element) => [...element.getClientRects()].filter((box) => box.width && box.height);

  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push(`wider than the window by ${wide} pixels`);

  // Nothing has to be pushed sideways to be read, save what somebody types.
  const main = document.querySelector("main");
  const all = [...main.querySelectorAll("*")].filter(seen);
  for (const element of all) {
    const style = getComputedStyle(element);
    if (element.matches("input, select, textarea") || !(element instanceof HTMLElement)) continue;
    const over = element.scrollWidth - element.clientWidth;
    if (over <= 1 || style.display.startsWith("inline") && style.display !== "inline-block") continue;
    if (["auto", "scroll"].includes(style.overflowX)) faults.push(`scrolls sideways by ${over} pixels: ${where(element)}`);
    if (["hidden", "clip"].includes(style.overflowX) && element.textContent.trim() && !(style.textOverflow === "ellipsis" && (element.title || element.closest("[title]")))) {
      faults.push(`cut off by ${over} pixels: ${where(element)}`);
    }
  }

  // Text stays within the boxes that it stands in.
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !parent || !seen(parent) || parent.closest("svg, option, textarea, select, details:not([open]) > :not(summary)")) continue;
    range.selectNodeContents(texts.currentNode);
    const right = Math.max(...[...range.getClientRects()].map((box) => box.right));
    const left = Math.min(...[...range.getClientRects()].map((box) => box.left));
    for (let box = parent; box && box !== main; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.display === "inline" || style.display === "contents") continue;
      if (style.overflowX !== "visible" && style.textOverflow === "ellipsis") break;
      const edges = box.getBoundingClientRect();
      const most = /\s/.test(texts.currentNode.data.trim()) ? 8 : 1;  // a blank at the end of a line hangs over
      if (right > edges.right + most || left < edges.left - most) {
        faults.push(`sticks out by ${Math.round(Math.max(right - edges.right, edges.left - left))} pixels of ${where(box)}: ${texts.currentNode.data.trim().slice(0, 40)}`);
        break;
      }
    }
  }

  // What a closed list shows of its choice.
  const ruler = new OffscreenCanvas(1, 1).getContext("2d");
  for (const list of main.querySelectorAll("select")) {
    if (!seen(list) || !list.selectedOptions.length) continue;
    const style = getComputedStyle(list);
    ruler.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const room = list.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const needed = ruler.measureText(list.selectedOptions[0].text.trim()).width;
    if (needed > room + 1 && !(style.textOverflow === "ellipsis" && list.title)) faults.push(`cut off by ${Math.round(needed - room)} pixels: ${where(list.labels[0] ?? list)}`);
  }
  // A date needs room for its digits and the button of its calendar.
  for (const date of main.querySelectorAll("input[type=date]")) {
    if (seen(date) && date.clientWidth < 130) faults.push(`too narrow for a date: ${date.name}, ${date.clientWidth} pixels`);
  }

  // Drawings keep their words inside, and apart.
  for (const drawing of main.querySelectorAll("svg")) {
    if (!seen(drawing)) continue;
    const frame = drawing.getBoundingClientRect();
    const words = [...drawing.querySelectorAll("text")].filter((word) => word.textContent.trim());
    const placed = words.map((word) => word.getBoundingClientRect());
    placed.forEach((box, at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) faults.push(`outside its drawing: ${words[at].textContent}`);
      for (let other = 0; other < at; other++) {
        const next = placed[other];
        if (Math.min(box.right, next.right) - Math.max(box.left, next.left) > 1 && Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top) > 2) faults.push(`one over the other: ${words[at].textContent} and ${words[other].textContent}`);
      }
    });
    for (const [at, word] of words.entries()) {
      if (drawing.querySelector("text") && parseFloat(getComputedStyle(word).fontSize) * (word.getScreenCTM()?.d ?? 1) < 8) {
        faults.push(`too small to be read: ${words[at].textContent}`);
        break;
      }
    }
  }

  // What is pressed lies apart.
  const pressed = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, audio")].filter(seen);
  const rects = pressed.map(boxes);
  const contained = (a, b) => a.contains(b) || b.contains(a) || [...(a.labels ?? [])].some((label) => label.contains(b)) || [...(b.labels ?? [])].some((label) => label.contains(a));
  const floats = (element) => {
    for (let e = element; e; e = e.parentElement) if (["fixed", "sticky"].includes(getComputedStyle(e).position)) return true;
    return false;
  };
  const floating = pressed.map(floats);
  for (let i = 0; i < pressed.length; i++) {
    for (let j = 0; j < i; j++) {
      if (floating[i] || floating[j] || contained(pressed[i], pressed[j])) continue;
      const over = rects[i].some((a) => rects[j].some((b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1));
      if (over) faults.push(`one over the other: ${where(pressed[i])} and ${where(pressed[j])}`);
    }
  }

  // On a telephone: 44 pixels for what a finger presses (WCAG 2.2, 2.5.5), save links within text.
  if (finger) {
    const told = new Set();
    for (const control of pressed) {
      if (control.matches("audio")) continue;
      const target = control.matches("[type=checkbox], [type=radio]") ? (control.closest("label") ?? control) : control;
      const box = target.getBoundingClientRect();
      const within = control.matches("a:not(.button)") && getComputedStyle(control).display === "inline";
      if (within) continue;
      const least = 44;
      if (box.height < least - 0.5 || box.width < least - 0.5) {
        const fault = `too small for a finger, ${Math.round(box.width)} by ${Math.round(box.height)}: ${where(control)}`;
        if (!told.has(fault)) faults.push(fault);
        told.add(fault);
      }
    }
  }
  return faults;
}
