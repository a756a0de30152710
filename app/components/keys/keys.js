// The keys of a page, shown by a button or by "?"; "/" goes to where one types what to look for.
//
// In (data): { groups: [{title, rows: [[keys, what], ...]}], find: label of an input }. Nothing goes out.

const pages = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  const known = pages.get(root) || listen(root);
  pages.set(root, known);
  known.find = component.data.find;
  draw(root.querySelector(".groups"), component.data.groups);
  return () => document.removeEventListener("keydown", known.key);
}

function listen(root) {
  const help = root.querySelector(".help");
  const known = { find: "" };
  known.key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || is_typing()) return;
    if (event.key === "?") help.open ? help.close() : help.showModal();
    else if (event.key === "/" && input(known.find)) input(known.find).focus();
    else return;
    event.preventDefault();
  };
  root.querySelector(".open").onclick = () => help.showModal();
  help.onclick = (event) => {
    if (event.target === help) help.close();
  };
  document.addEventListener("keydown", known.key);
  return known;
}

function input(label) {
  return label ? document.querySelector(`input[aria-label="${CSS.escape(label)}"]`) : null;
}

function is_typing() {
  let at = document.activeElement;
  while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  return Boolean(at && at.closest && at.closest("input, textarea, select, [contenteditable=true]"));
}

function draw(place, groups) {
  place.replaceChildren(
    ...groups.map(({ title, rows }) => {
      const section = document.createElement("section");
      const head = document.createElement("h2");
      head.textContent = title;
      const list = document.createElement("dl");
      for (const [keys, what] of rows) {
        const term = document.createElement("dt");
        for (const key of keys.split(" ")) {
          const cap = document.createElement("kbd");
          cap.textContent = key;
          term.append(cap);
        }
        const says = document.createElement("dd");
        says.textContent = what;
        list.append(term, says);
      }
      section.append(head, list);
      return section;
    }),
  );
}
