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

	/** For screen readers: stages and whole answers, never single words. */
	const live = h("p.unseen", { role: "status" });
	const announce = (text) => (live.textContent = text);
	const context = { t, language, announce, again, edit, ask: (question) => ask(question) && input.focus(), room: () => Math.max(260, Math.min(720, log.clientWidth - 60)) };
	const tool = (name, label, onclick) => button(name, onclick, { label: t(label), title: t(label) }, "quiet.tool");
	const title = h("h2", { part: "title" });
	const line = h("span.line");
	const panel = historyPanel(context, {
		refresh,
		open,
		list: async () => (await server.list()) || conversation.listed,
		async rename(id, title) {
			await server.rename(id, title);
			conversation.listed = conversation.listed.map((other) => (other.id === id ? { ...other, title } : other));
		},
		async remove(id) {
			await server.forget(id);
			conversation.listed = conversation.listed.filter((other) => other.id !== id);
			if (id === conversation.id) open(null);
		},
	});
	const past = tool("☰", "conversations", () => (panel.hidden ? panel.list() : hidePanel()));
	const welcome = h("h3.welcome", t("welcome"));
	const turns = h("ol.turns");
	const log = h("div.log", { part: "conversation", role: "region", label: t("conversation"), tabindex: 0 }, welcome, turns);
	const samples = h("div.samples", { role: "group", label: t("suggestions") });
	const input = h("textarea", { rows: 1, enterkeyhint: "send", label: t("question"), oninput: refresh });
	const send = button("", () => (conversation.working ? stop() : submit()), { part: "send" }, "send");
	// Without a title of its own, the host's would be a tooltip over everything.
	const root = h("div.root", { part: "root", title: "", onkeydown: press },
		h("header.head", { part: "header" }, title, line, past, tool("+", "newConversation", () => open(null)), tool("×", "close", () => host.hide())), panel, log, samples,
		h("form.composer", { part: "composer" }, input, send), live);
	const launcher = button(icon("chat"), () => host.show(), { part: "launcher", label: t("open"), title: "" }, "launcher");
	host.shadowRoot.replaceChildren(root, launcher);
	showAttributes();
	const history = async () => conversation.id && server.history(conversation.id).catch(() => undefined);
	const connection = connect(server, {
		onFrame: take,
		onState(state) {
			line.dataset.state = state;
			line.textContent = t(state);
			if (state === "retrying" && conversation.working) tellStage(conversation.working, t(state));
		},
		onGreeting: ({ feedback }) => (context.rate = feedback && server.isHttpOurs() && (({ requestId }, rating, comment) => server.rate({ request_id: requestId, conversation_id: conversation.id, rating, comment }))),
	});
	restore();

	function press(event) {
		// An input method that is composing owns the keys.
		if (event.isComposing) return;
		if (event.key === "Enter" && !event.shiftKey && event.target === input) submit();
		else if (event.key !== "Escape") return;
		else if (!panel.hidden) hidePanel();
		else if (conversation.working) stop();
		else if (host.hasAttribute("floating")) host.hide();
		event.preventDefault();
	}

	function hidePanel() {
		panel.hidden = true;
		refresh();
		past.focus();
	}

	function submit() {
		if (ask(input.value)) input.value = "";
		refresh();
	}

	function ask(question) {
		const text = question.trim();
		if (text === "" || conversation.working) return false;
		panel.hidden = true;
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
		turn.state = "stopping";
		tellStage(turn, t("stop"));
		connection.cancel();
		refresh();
	}

	function tellStage(turn, stage) {
		turn.stage = stage;
		turn.view.update();
		announce(stage);
	}

	async function take(frame) {
		if (/_lost$/.test(frame.code)) {
			const stored = (await history())?.find((turn) => turn.request_id === frame.request_id);
			if (stored && stored.outcome !== "stopped") frame = { ...stored, type: "chat_response" };
		}
		const turn = conversation.apply(frame);
		if (!turn) return;
		turn.view.update();
		if (frame.type === "status") announce(frame.message);
		if (!isFinal(frame)) return;
		announce(turn.view.announcement());
		refresh();
		host.dispatchEvent(new CustomEvent(frame.type === "error" ? "db-chat-error" : "db-chat-answer", { bubbles: true, composed: true, detail: frame }));
	}

	function show(turn) {
		for (const { view } of conversation.turns) view?.retire();
		turn.view = turnView(turn, context);
		turns.append(turn.view.element);
	}

	function again(turn) {
		if (conversation.working) return;
		turn.view.element.remove();
		conversation.turns = conversation.turns.filter((other) => other !== turn);
		context.ask(turn.question);
	}

	function edit(turn) {
		input.value = turn.question;
		refresh();
		input.focus();
	}

	function open(id) {
		stop();
		conversation.open(id);
		turns.replaceChildren();
		panel.hidden = true;
		input.focus();
		return restore();
	}

	async function restore() {
		refresh();
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
		const { working, turns: { length } } = conversation;
		const name = working ? "stop" : "send";
		const isOff = working ? working.state === "stopping" : input.value.trim() === "";
		// A button that is switched off loses the focus.
		if (isOff && send.matches(":focus")) input.focus();
		send.setAttribute("aria-label", t(name));
		send.replaceChildren(icon(name));
		send.disabled = isOff;
		past.setAttribute("aria-expanded", !panel.hidden);
		welcome.hidden = length > 0;
		samples.hidden = length > 0;
	}

	function showAttributes() {
		title.textContent = host.title || t("title");
		input.placeholder = host.placeholder || t("question");
		samples.replaceChildren(...host.questions.map((question) => button(question, () => context.ask(question), { dir: "auto" }, "chip")));
		refresh();
	}

	/** The question at the top: its answer grows below what is being read. */
	function scrollTo({ view }) {
		log.scrollTop += view.element.getBoundingClientRect().top - log.getBoundingClientRect().top + 1;
	}

	return { ask, stop, open, showAttributes, close: () => connection.close(), input, launcher };
}
