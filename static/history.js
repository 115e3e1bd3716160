/** The conversations, as a panel: an element with one method more, `list`, which shows it. */
import { button, h } from "./dom.js";

export function historyPanel({ t, language, announce }, actions) {
	const items = h("ul");
	const panel = h("section.panel", { label: t("conversations"), tabindex: -1, hidden: true }, items);
	const change = (action, id) => action.then(() => panel.list(id), () => announce(t("unexpected")));

	function entry({ id, title, updated_at: at }) {
		const remove = button(t("remove"), () => {
			if (remove.textContent === t("removeSure")) change(actions.remove(id));
			// Asked where the finger is; leaving takes the question back.
			remove.textContent = t("removeSure");
		}, { onblur: () => (remove.textContent = t("remove")) });
		const save = async () => name.value.trim() && actions.rename(id, name.value.trim());
		const name = h("input", { value: title, label: t("rename"), maxlength: 120, onchange: () => change(save(), id) });
		const item = h("li", { id }, button([h("bdi", title), h("small", new Date(at).toLocaleDateString(language))], () => actions.open(id), {}, "open"), button(t("rename"), () => {
			item.replaceChildren(name);
			name.select();
		}), remove);
		return item;
	}

	/** The focus goes to the conversation that was changed, or the first one. */
	panel.list = async (id) => {
		panel.hidden = false;
		actions.refresh();
		const found = await actions.list().catch(() => []);
		items.replaceChildren(...(found.length > 0 ? found.map(entry) : [t("noConversations")]));
		([...items.children].find((item) => item.id === id)?.firstChild ?? items.querySelector("button") ?? panel).focus();
	};

	return panel;
}
