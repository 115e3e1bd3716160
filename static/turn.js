/** One question with its answer, on the page. */
import { isWorking } from "./conversation.js";
import { button, copyButton, h, icon } from "./dom.js";
import { evidenceDetails, notes, sqlDetails } from "./evidence.js";
import { renderMarkdown } from "./markdown.js";
import { resultView } from "./result.js";

const OWN_TEXTS = /^(connection_lost|unreachable|unexpected|origin_not_allowed|authentication_required)$/;

export function turnView(turn, context) {
	const { t, language, announce } = context;
	const prose = h("div.prose", { part: "answer" });
	const status = h("p.stage");
	const end = h("div.slot");
	const details = h("div.details");
	const element = h("li.turn", h("div.asked", h("h3.question", { part: "question", dir: "auto" }, turn.question), button(t("edit"), () => context.edit(turn))), h("div.answer", status, prose, end, details));
	let frame = 0;
	let sql;

	function update() {
		const working = isWorking(turn);
		element.dataset.state = turn.state;
		status.hidden = !working;
		status.textContent = turn.stage ?? t("working");
		if (turn.sql !== sql) {
			sql = turn.sql;
			details.replaceChildren(sql ? sqlDetails(sql, context) : "");
		}
		if (working) return void (frame ||= requestAnimationFrame(paint));
		cancelAnimationFrame(frame);
		paint();
		if (turn.answer) answered(turn.answer);
		else unanswered();
	}

	function paint() {
		frame = 0;
		renderMarkdown(prose, turn.prose);
		prose.hidden = turn.prose === "";
	}

	const choices = (label, options) => options.length > 0 && h("div.options", { role: "group", "aria-label": label }, options.map((option) => button(String(option), () => context.ask(option), { dir: "auto" }, "chip")));

	function answered({ clarification, suggestions = [], rows = [], truncated, evidence = {} }) {
		const { question = "", options = [] } = clarification ?? {};
		end.replaceChildren(...[
			!turn.prose.includes(question) && h("p", { dir: "auto" }, question),
			choices(question, options),
			rows.length > 0 && resultView(turn.answer, context),
			rows.length > 0 && truncated && h("p.figures", t("cut", { n: rows.length })),
			notes(evidence, context),
			choices(t("suggestions"), suggestions),
		].filter(Boolean));
		const figures = truncated ? [] : [t("rows", { n: rows.length })];
		if (turn.seconds) figures.push(`${turn.seconds.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 })} s`);
		details.append(...(sql ? [evidenceDetails(evidence, context) || "", h("p.figures", figures.join(" · "))] : []), h("div.tools", copyButton("copy", () => turn.prose, prose, context),
			button(t("askAgain"), () => context.ask(turn.question)), context.rate && thumbs()));
	}

	function thumbs() {
		const rate = async (rating) => {
			const isKept = await context.rate(turn, rating).catch(() => null);
			announce(t(isKept ? "thanks" : "unexpected"));
			nodes.forEach((node) => isKept && node.setAttribute("aria-pressed", node.matches(`.${rating}`)));
		};
		const nodes = ["up", "down"].map((rating) => button(icon("thumb"), () => rate(rating), { "aria-label": t(rating), "aria-pressed": "false" }, `quiet.${rating}`));
		return nodes;
	}

	function unanswered() {
		const isStopped = turn.state === "stopped";
		const again = (isStopped || turn.error.retryable) && button(t(isStopped ? "askAgain" : "tryAgain"), () => context.again(turn));
		end.replaceChildren(h(isStopped ? "div.ended" : "div.ended.failed", h("p", { dir: "auto" }, outcome()), again));
	}

	function outcome() {
		if (turn.state === "stopped") return t("stopped");
		const { code, message } = turn.error;
		return OWN_TEXTS.test(code) ? t(code) : message || t("unexpected");
	}

	update();
	return {
		element,
		update,
		retire: () => end.querySelectorAll(".options").forEach((options) => options.remove()),
		announcement: () => (turn.answer ? `${prose.innerText} ${sql ? t("rows", { n: turn.answer.rows.length }) : ""}` : outcome()),
	};
}
