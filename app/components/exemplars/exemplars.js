// Exemplars and counter-examples of a search, each to be taken out or turned into the other.
//
// In (data): { items: [{key, name, picture: URL, how: "like" | "unlike", fixed}], empty: text }; `fixed`
// ones cannot be turned.
// Out (triggers): out {key}, turn {key}, open {key}; each with a nonce.

let count = 0;

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".exemplars");
  const send = (name, key) => setTriggerValue(name, { key, nonce: `${Date.now()}-${count++}` });

  const button = (kind, text, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = kind;
    made.textContent = text;
    made.title = label;
    made.setAttribute("aria-label", label);
    made.onclick = act;
    return made;
  };

  const item = (entry) => {
    const box = document.createElement("div");
    box.className = `item ${entry.how}`;
    box.setAttribute("role", "listitem");
    box.title = entry.name;
    const picture = document.createElement("img");
    picture.src = entry.picture;
    picture.alt = entry.name;
    picture.tabIndex = 0;
    picture.onclick = () => send("open", entry.key);
    picture.onkeydown = (event) => {
      if (event.key === " " || event.key === "Enter") send("open", entry.key);
      else if (event.key === "Delete" || event.key === "Backspace") send("out", entry.key);
      else if (event.key === "+" || event.key === "-") {
        if (!entry.fixed && (event.key === "+") !== (entry.how === "like")) send("turn", entry.key);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    };
    const name = document.createElement("span");
    const inner = document.createElement("bdi");
    inner.textContent = entry.name;
    name.append(inner);
    const like = entry.how === "like";
    box.append(picture, name, button("out", "×", `Take ${entry.name} out`, () => send("out", entry.key)));
    if (!entry.fixed) {
      const label = like ? "Exemplar; click to make it a counter-example" : "Counter-example; click to make it an exemplar";
      box.append(button("sign", like ? "+" : "−", label, () => send("turn", entry.key)));
    }
    return box;
  };

  const hint = document.createElement("div");
  hint.className = "hint";
  hint.textContent = data.empty || "";
  root.replaceChildren(...(data.items.length ? data.items.map(item) : [hint]));
}
