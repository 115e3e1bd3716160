/** One chat in one element: puts the parts together. */
import { connect, isFinal, newRequestId } from "./connection.js";
import { Conversation } from "./conversation.js";
import { button, h, icon } from "./dom.js";
import { historyPanel } from "./history.js";
import { serverAt } from "./server.js";
import { textsFor } from "./strings.js";
import { turnView } from "./turn.js";

export function startChat(host, base, language) {
	const t = textsFor(language);
	const server = serverAt(base, host);
	const conversation = new Conversation(`${base}#${host.id}`);
	const views = new Map();

	/** For screen readers: beginnings and ends, never single words. */
	const live = h("p.unseen", { role: "status" });
	const announce = (text) => (live.textContent = text);
	const context = { t, language, announce, again, edit, ask: (question) => ask(question) && input.focus(), room: () => Math.max(260, Math.min(720, log.clientWidth - 60)) };
	const tool = (name, label, onclick) => button(name, onclick, { "aria-label": t(label), title: t(label) }, "quiet.tool");
	const title = h("h2", { part: "title" });
	const line = h("span.line");
	const panel = historyPanel(context, {
		list: async () => (server.knowsWho() && (await server.list())) || conversation.listed,
		open,
		async rename(id, name) {
			if (server.knowsWho()) await server.rename(id, name);
			conversation.listed = conversation.listed.map((other) => (other.id === id ? { ...other, title: name } : other));
		},
		async remove(id) {
			await server.forget(id);
			conversation.listed = conversation.listed.filter((other) => other.id !== id);
			if (id === conversation.id) clear(null);
		},
	});
	const past = tool("☰", "conversations", () => (panel.element.hidden ? panel.show() : (panel.element.hidden = true)));
	const fresh = tool("+", "newConversation", () => open(null));
	const welcome = h("h3.welcome", t("welcome"));
	const turns = h("ol.turns");
	const log = h("div.log", { part: "conversation", role: "region", "aria-label": t("conversation"), tabindex: 0 }, welcome, turns);
	const samples = h("div.samples", { role: "group", "aria-label": t("examples") });
	const input = h("textarea", { rows: 1, enterkeyhint: "send", "aria-label": t("question"), "aria-describedby": "keys", oninput: refresh });
	const send = button("", () => (conversation.working ? stop() : submit()), { part: "send" }, "send");
	// The empty title keeps the host's from showing as a tooltip over everything.
	const root = h("div.root", { part: "root", title: "", onkeydown: press },
		h("header.head", { part: "header" }, title, line, past, fresh, button("×", () => host.hide(), { "aria-label": t("close") }, "quiet.tool.shut")), panel.element, log, samples,
		h("form.composer", { part: "composer" }, input, send), h("div.foot", { id: "keys" }, t("keys")), live);
	const launcher = button("💬", () => host.show(), { part: "launcher", "aria-label": t("open"), title: "" }, "launcher");
	host.shadowRoot.replaceChildren(root, launcher);
	showAttributes();
	const history = async () => conversation.id && server.history(conversation.id).catch(() => undefined);
	const connection = connect(server, {
		onFrame: take,
		onState(state) {
			line.dataset.state = state;
			line.textContent = t(state);
			const turn = conversation.working;
			if (state !== "retrying" || !turn) return;
			turn.stage = t("reconnecting");
			views.get(turn)?.update();
		},
		onGreeting: ({ feedback }) => (context.rate = feedback && server.isHttpOurs() && (({ requestId }, rating) => server.rate({ request_id: requestId, conversation_id: conversation.id, rating }))),
	});
	restore();

	function press(event) {
		// An input method that is composing owns the keys.
		if (event.isComposing) return;
		if (event.key === "Enter" && !event.shiftKey && event.target === input) submit();
		else if (event.key !== "Escape") return;
		else if (!panel.element.hidden) {
			panel.element.hidden = true;
			past.focus();
		} else if (conversation.working) stop();
		else if (host.hasAttribute("floating")) host.hide();
		event.preventDefault();
	}

	function submit() {
		if (!ask(input.value)) return;
		input.value = "";
		refresh();
	}

	function ask(question) {
		const text = question.trim();
		if (text === "" || conversation.working) return false;
		panel.element.hidden = true;
		const turn = conversation.begin(newRequestId(), text);
		show(turn);
		announce(t("working"));
		connection.ask({ query: text, conversation_id: conversation.id ?? undefined, request_id: turn.requestId, stream: true });
		refresh();
		scrollTo(turn);
		return true;
	}

	function stop() {
		const turn = conversation.working;
		if (!turn || turn.state === "stopping") return;
		Object.assign(turn, { state: "stopping", stage: t("stop") });
		views.get(turn).update();
		connection.cancel(turn.requestId);
		refresh();
	}

	async function take(frame) {
		if (["connection_lost", "turn_lost"].includes(frame.code)) {
			const stored = (await history())?.find((turn) => turn.request_id === frame.request_id);
			if (stored && stored.outcome !== "stopped") frame = { ...stored, type: "chat_response" };
		}
		const turn = conversation.apply(frame);
		const view = views.get(turn);
		if (!view) return;
		view.update();
		if (!isFinal(frame)) return;
		announce(view.announcement());
		refresh();
		host.dispatchEvent(new CustomEvent(frame.type === "error" ? "db-chat-error" : "db-chat-answer", { bubbles: true, composed: true, detail: frame }));
	}

	function show(turn) {
		for (const view of views.values()) view.retire();
		const view = turnView(turn, context);
		views.set(turn, view);
		turns.append(view.element);
	}

	function again(turn) {
		if (conversation.working) return;
		views.get(turn).element.remove();
		views.delete(turn);
		conversation.turns = conversation.turns.filter((other) => other !== turn);
		ask(turn.question);
		input.focus();
	}

	function edit(turn) {
		input.value = turn.question;
		refresh();
		input.focus();
	}

	function clear(id) {
		stop();
		conversation.open(id);
		views.clear();
		turns.replaceChildren();
		refresh();
	}

	function open(id) {
		clear(id);
		panel.element.hidden = true;
		input.focus();
		return restore();
	}

	async function restore() {
		const { id, running } = conversation;
		const stored = await history();
		if (conversation.id !== id || conversation.turns.length > 0) return;
		if (stored) conversation.restore(stored);
		else if (stored === null && id) conversation.open();
		if (running && !stored?.some((turn) => turn.request_id === running.requestId)) {
			conversation.begin(running.requestId, running.question);
			connection.ask({ request_id: running.requestId }, true);
		}
		conversation.turns.forEach(show);
		refresh();
		if (conversation.turns.length > 0) scrollTo(conversation.turns.at(-1));
	}

	function refresh() {
		const { working } = conversation;
		const isEmpty = conversation.turns.length === 0;
		const name = working ? "stop" : "send";
		send.setAttribute("aria-label", t(name));
		send.replaceChildren(icon(name));
		send.disabled = working ? working.state === "stopping" : input.value.trim() === "";
		input.rows = Math.min(8, input.value.split("\n").length);
		fresh.hidden = isEmpty;
		welcome.hidden = !isEmpty;
		samples.hidden = !isEmpty || !samples.hasChildNodes();
	}

	function showAttributes() {
		title.textContent = host.title || t("title");
		input.placeholder = host.placeholder || t("placeholder");
		launcher.setAttribute("aria-expanded", host.hasAttribute("open"));
		samples.replaceChildren(...host.questions.map((question) => button(question, () => context.ask(question), { dir: "auto" }, "chip")));
		refresh();
	}

	/** The question at the top: its answer grows below without moving what is being read. */
	function scrollTo(turn) {
		log.scrollTop += views.get(turn).element.getBoundingClientRect().top - log.getBoundingClientRect().top + 1;
	}

	return { ask, stop, open, showAttributes, close: () => connection.close(), input, launcher };
}
