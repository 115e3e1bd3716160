/** The conversations, as a panel. */
import { button, h } from "./dom.js";

export function historyPanel({ t, language, announce }, actions) {
	const list = h("ul");
	const element = h("section.panel", { "aria-label": t("conversations"), tabindex: -1, hidden: true }, list);
	const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
	const change = (action) => action().then(show, () => announce(t("unexpected")));

	function entry({ id, title, updated_at: at }) {
		const remove = button(t("remove"), () => {
			if (remove.textContent === t("removeSure")) change(() => actions.remove(id));
			// Asked where the finger is; leaving takes the question back.
			remove.textContent = t("removeSure");
		}, { onblur: () => (remove.textContent = t("remove")) });
		const name = h("input", { value: title, "aria-label": t("rename"), maxlength: 200, onchange: () => change(async () => name.value.trim() && actions.rename(id, name.value.trim())) });
		const item = h("li", button([h("bdi", title), h("small", day.format(new Date(at)))], () => actions.open(id), {}, "open"), button(t("rename"), () => {
			item.replaceChildren(name);
			name.select();
		}), remove);
		return item;
	}

	async function show() {
		element.hidden = false;
		const found = await actions.list().catch(() => []);
		list.replaceChildren(...(found.length > 0 ? found.map(entry) : [t("noConversations")]));
		(list.querySelector("button") ?? element).focus();
	}

	return { element, show };
}
