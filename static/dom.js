/** Builds nodes, the only place that does: text from anywhere else becomes text nodes, never markup. */

export const h = (selector, ...children) => build((tag) => document.createElement(tag), selector, children);

export const svg = (selector, ...children) => build((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag), selector, children);

function build(create, selector, children) {
	const [tag, ...classes] = selector.split(".");
	const node = create(tag);
	const properties = children[0]?.constructor === Object ? children.shift() : {};
	if (classes.length > 0) node.setAttribute("class", classes.join(" "));
	// One by one: a call takes only so many. First: with `dir="auto"` each is looked at again.
	for (const child of children.flat(2)) if (child || child === "") node.append(child);
	for (const [name, value] of Object.entries(properties)) {
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (![undefined, null, false].includes(value)) node.setAttribute(name === "label" ? "aria-label" : name, value === true ? "" : value);
	}
	return node;
}

export const button = (label, onclick, properties, kind = "quiet") => h(`button.${kind}`, { type: "button", onclick, ...properties }, label);

export const fold = (part, name, inside) => h("details", { part }, h("summary", name), inside);

export function copyButton(label, text, node, { t, announce }) {
	const tell = (outcome) => announce((copied.textContent = t(outcome)));
	const copied = button(t(label), async () => {
		try {
			// Missing on pages without TLS, refused in frames without the permission.
			await navigator.clipboard.writeText(text());
			tell("copied");
		} catch {
			getSelection().selectAllChildren(node);
			tell("unexpected");
		}
	}, { onblur: () => (copied.textContent = t(label)) });
	return copied;
}

const PATHS = {
	send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
	stop: "M4.5 4.5h7v7h-7z",
	chat: "M2.5 3h11v8h-6L4 13.5V11H2.5z",
	thumb: "M5 7v6H2.5V7zm0 0 2.5-4.5c1 0 1.7.8 1.5 1.9L8.7 6h4.6l-1.2 7H5",
};

export const icon = (name) => svg("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
