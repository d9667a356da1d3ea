// Elements of the document. Texts become text nodes, never markup.

const find = id => document.getElementById(id);

// Makes an element: properties that are functions listen, those with a dash are attributes, the rest are properties.
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

// Moves an element by its style, which the page's policy lets programs do.
function place(element, values) {
  for (const [key, value] of Object.entries(values)) {
    element.style.setProperty(key, typeof value === "number" ? value + "px" : value);
  }
  return element;
}

// Says something to everybody, also to those who do not see the page.
let toastTimer = 0;
function say(text) {
  const toast = find("toast");
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("shown"), 2200);
}

// Puts text on the clipboard; where the browser keeps it from pages, by way of a selection.
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", { value: text, "aria-hidden": "true" });
    field.className = "offscreen";
    const holder = document.querySelector("dialog[open]") || document.body;
    const focused = document.activeElement;
    holder.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (focused) focused.focus();
    if (!done) return say("The browser does not let this page copy.");
  }
  say(what + " copied");
}

// Opens a dialog with the keyboard at the dialog itself, and not at whatever button comes first.
function openDialog(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus();
}

// Seconds as people say them.
function duration(seconds) {
  if (seconds < 10) return seconds.toFixed(2).replace(/0$/, "") + " s";
  if (seconds < 100) return seconds.toFixed(1) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// How wide a text is on one line, in pixels.
const ruler = document.createElement("canvas").getContext("2d");
function textWidth(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}

// How many lines a text takes in a width, in this font.
function lineCount(text, width, font) {
  let lines = 0;
  for (const line of text.split("\n")) lines += Math.max(1, Math.ceil(textWidth(line, font) * 1.08 / width));
  return lines;
}

const prefersStill = matchMedia("(prefers-reduced-motion: reduce)");
