// What keeps somebody from using the page, each in words: names, order, contrast, width. Run in the page.
() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const where = (element) => `<${element.tagName.toLowerCase()}> ${(element.textContent || element.name || "").trim().slice(0, 40)}`;

  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  if (!document.querySelector("main")) faults.push("no main");

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`id ${id} twice`);
  for (const element of document.querySelectorAll("[aria-describedby]")) {
    if (!document.getElementById(element.getAttribute("aria-describedby"))) faults.push(`description of ${where(element)} is missing`);
  }

  let level = 1;
  for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4)")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`heading skips a level: ${where(heading)}`);
    level = own;
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels?.length && !field.getAttribute("aria-label")) faults.push(`no label: ${field.name}`);
  }
  for (const control of document.querySelectorAll("a[href], button, summary")) {
    const name = control.getAttribute("aria-label") || control.textContent.trim() || control.title;
    if (!name) faults.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) faults.push("img without alt");
  for (const drawing of document.querySelectorAll("svg")) {
    if (drawing.getAttribute("aria-hidden") !== "true" && drawing.getAttribute("role") !== "img") faults.push("svg that is neither hidden nor an image");
  }
  for (const cell of document.querySelectorAll("th")) if (!cell.scope) faults.push(`th without scope: ${where(cell)}`);

  // Contrast (WCAG 2.2, 1.4.3): each text against the first background that is not transparent.
  const parse = (text) => {
    const canvas = parse.canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * (top[3] / 255) + below[i] * (1 - top[3] / 255));
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 255) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const told = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element || !seen(element) || element.closest(".unseen, [disabled], svg, .teller")) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const [a, b] = [luminance(over(parse(style.color), below)), luminance(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const key = `${style.color} ${below}`;
    if (ratio < (large ? 3 : 4.5) && !told.has(key)) {
      told.add(key);
      faults.push(`contrast ${ratio.toFixed(2)}: ${where(element)}`);
    }
  }

  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push(`wider than the window by ${wide} pixels`);
  return faults;
}
