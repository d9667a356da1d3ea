// Helpers for elements. Texts become text nodes, never markup.

const find = id => document.getElementById(id);

// Makes an element. Functions are added as listeners, names with a dash are set as attributes, others as properties.
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...present(children));
  return element;
}

// The children that exist. The DOM would write null and undefined as text.
function present(children) { return children.filter(child => child !== null && child !== undefined); }

// Replaces the children of an element.
function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

// Sets styles of an element, which the page's policy allows for scripts.
function place(element, values) {
  for (const [key, value] of Object.entries(values)) {
    element.style.setProperty(key, typeof value === "number" ? value + "px" : value);
  }
  return element;
}

// Shows a short message, which screen readers announce.
let toastTimer = 0;
function say(text, milliseconds = Math.max(2200, 55 * text.length)) {
  const toast = find("toast");
  holdToast();
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("shown"), milliseconds);
}

// Keeps the message in the dialog that is open: all else is behind it, and screen readers pass over it.
function holdToast() {
  const holder = [...document.querySelectorAll("dialog[open]")].pop() ?? document.body;
  if (find("toast").parentElement !== holder) holder.append(find("toast"));
}
document.addEventListener("close", () => holdToast(), true);

// Copies text to the clipboard, by way of a selection if the browser does not let the page write to it.
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
    if (!done) return say("The browser does not allow this page to copy.");
  }
  say(what + " copied");
}

// Opens a dialog and focuses the dialog itself instead of its first button.
function openDialog(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus();
}

// A duration as text.
function duration(seconds) {
  if (seconds < 10) return seconds.toFixed(2).replace(/0$/, "") + " s";
  if (seconds < 100) return seconds.toFixed(1) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// The width of a text on one line, in pixels.
const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();
function textWidth(text, font) {
  const key = font + text;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 20000) widths.clear();
    ruler.font = font;
    width = ruler.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

// The number of lines that a text takes at this width and in this font.
function lineCount(text, width, font) {
  let lines = 0;
  for (const line of text.split("\n")) lines += Math.max(1, Math.ceil(textWidth(line, font) * 1.08 / width));
  return lines;
}

const prefersStill = matchMedia("(prefers-reduced-motion: reduce)");
