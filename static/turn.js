/** One question with its answer, on the page. */
import { isWorking } from "./conversation.js";
import { button, copyButton, h, icon } from "./dom.js";
import { evidenceDetails, notes, sqlDetails } from "./evidence.js";
import { renderMarkdown } from "./markdown.js";
import { resultView } from "./result.js";
import { TEXTS } from "./strings.js";

export function turnView(turn, context) {
	const { t, language, announce } = context;
	const prose = h("div.prose", { part: "answer" });
	const status = h("p.stage");
	const end = h("div.slot");
	const details = h("div.tools");
	const element = h("li.turn", h("div.asked", h("h3.question", { part: "question", dir: "auto" }, turn.question), button(t("edit"), () => context.edit(turn))), h("div.answer", status, prose, end, details));
	let frame = 0;
	let sql;

	function update() {
		const working = isWorking(turn);
		status.hidden = !working;
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
		status.textContent = turn.stage ?? t("working");
		renderMarkdown(prose, turn.prose);
		prose.hidden = turn.prose === "";
	}

	const choices = (label, options) => options.length > 0 && h("div.tools.options", { role: "group", label }, options.map((option) => button(String(option), () => context.ask(option), { dir: "auto" }, "chip")));

	function answered({ clarification, suggestions = [], rows = [], truncated, evidence = {}, usage }) {
		const { question = "", options = [] } = clarification ?? {};
		end.replaceChildren(...[
			!turn.prose.includes(question) && h("p", { dir: "auto" }, question),
			choices(question, options),
			rows.length > 0 && resultView(turn.answer, context),
			rows.length > 0 && truncated && h("p.figures", t("cut", { n: rows.length })),
			notes(evidence, context),
			choices(t("suggestions"), suggestions),
		].filter(Boolean));
		const figures = [!truncated && t("rows", { n: rows.length }), turn.seconds && `${turn.seconds.toLocaleString(language, { maximumSignificantDigits: 2 })} s`];
		details.append(...[sql && evidenceDetails(evidence, usage?.cost, context), sql && h("p.figures", figures.filter(Boolean).join(" · ")),
			copyButton("copy", () => turn.prose, prose, context), button(t("askAgain"), () => context.ask(turn.question)), context.rate && ratings()].flat().filter(Boolean));
	}

	function ratings() {
		const comment = h("input", { label: t("comment"), placeholder: t("comment"), maxlength: 1000 });
		const said = h("span.figures");
		const form = h("form.tools", { hidden: true, onsubmit: (event) => event.preventDefault() ?? rate(thumbs.find((thumb) => thumb.ariaPressed === "true")) }, comment, h("button.quiet", t("send")));
		const thumbs = ["up", "down"].map((rating) => button(icon("thumb"), ({ currentTarget }) => rate(currentTarget), { label: t(rating), name: rating, "aria-pressed": "false" }));
		async function rate(given) {
			const isKept = await context.rate(turn, given.name, comment.value).catch(() => null);
			said.textContent = t(isKept ? "thanks" : "unexpected");
			announce(said.textContent);
			if (!isKept) return;
			for (const thumb of thumbs) thumb.ariaPressed = thumb === given;
			form.hidden = comment.value !== "";
			given.focus();
		}
		return [...thumbs, said, form];
	}

	function unanswered() {
		const isStopped = turn.state === "stopped";
		const again = (isStopped || turn.error.retryable) && button(t("askAgain"), () => context.again(turn));
		end.replaceChildren(h(isStopped ? "div.tools" : "div.tools.failed", h("p", { dir: "auto" }, outcome()), again));
	}

	function outcome() {
		if (turn.state === "stopped") return t("stopped");
		const { code, message } = turn.error;
		return Object.hasOwn(TEXTS, code) ? t(code) : message || t("unexpected");
	}

	update();
	return {
		element,
		update,
		retire: () => end.querySelectorAll(".options").forEach((options) => options.remove()),
		announcement: () => (turn.answer ? `${turn.prose.slice(0, 2000).replace(/[*_`#|]/g, "")} ${sql ? t("rows", { n: turn.answer.rows.length }) : ""}` : outcome()),
	};
}
