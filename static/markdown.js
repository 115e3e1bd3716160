/** Prose as a fixed set of elements. Links stay text with their address: they could carry rows to a stranger. */
import { h } from "./dom.js";

const FENCE = /^\s{0,3}(```|~~~)/;
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/;
const TABLE = /^\s*\|/;
const ITEM = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;

/** What has no end is cut: only blocks in sight are laid out, only the last one is drawn anew. */
const BLOCK_CHARS_MAX = 4000;
const LINE = /.{1,4000}(?!\S)|.{1,4000}|^$/gsu;

const drawn = new WeakMap();

export function renderMarkdown(container, text) {
	const blocks = split(text);
	const before = drawn.get(container) ?? [];
	let same = 0;
	while (same < blocks.length && blocks[same] === before[same]) same += 1;
	while (container.childNodes.length > same) container.lastChild.remove();
	for (const block of blocks.slice(same)) container.append(draw(block));
	drawn.set(container, blocks);
}

function kindOf(line) {
	if (FENCE.test(line)) return "fence";
	if (HEADING.test(line)) return "single";
	if (TABLE.test(line)) return "table";
	return ITEM.test(line) ? "list" : "text";
}

function split(text) {
	const blocks = [];
	let kind = null;
	for (const line of text.split(/\r\n?|\n/).flatMap((whole) => whole.match(LINE))) {
		const add = () => blocks.push(`${blocks.pop()}\n${line}`);
		if (kind === "fence") {
			add();
			if (FENCE.test(line)) kind = null;
		} else if (line.trim() === "") kind = null;
		else if ((kind === "list" && /^\s/.test(line)) || (kind === kindOf(line) && kind !== "single" && kind !== "fence" && blocks.at(-1).length < BLOCK_CHARS_MAX)) add();
		else {
			kind = kindOf(line);
			blocks.push(line);
		}
	}
	return blocks;
}

function draw(block) {
	const lines = block.split("\n");
	// The model is told to write none: the rows are beside its words.
	if (TABLE.test(block)) return h("pre", { tabindex: 0 }, block);
	if (FENCE.test(block)) return h("pre", { tabindex: 0 }, h("code", lines.filter((line) => !FENCE.test(line)).join("\n")));
	if (lines.length === 1 && HEADING.test(block)) return h("h4", inline(HEADING.exec(block)[1]));
	if (ITEM.test(lines[0])) return drawList(lines);
	return h("p", { dir: "auto" }, inline(lines.map((line) => line.trim()).join("\n")));
}

function drawList(lines) {
	const [, margin, start] = ITEM.exec(lines[0]);
	const items = [];
	for (const line of lines) {
		const [, indent, , text] = ITEM.exec(line) ?? [];
		if (indent?.length <= margin.length) items.push({ text, inner: [] });
		else if (indent !== undefined || items.at(-1).inner.length > 0) items.at(-1).inner.push(line);
		else items.at(-1).text += ` ${line.trim()}`;
	}
	return h(start ? "ol" : "ul", { start }, items.map(({ text, inner }) => h("li", { dir: "auto" }, inline(text), inner.length > 0 && drawList(inner))));
}

// Bounded, and no two parts take the same characters: hostile text cannot make the search slow.
const INLINE = /`([^`\n]{1,2000})`|(?<![\w*])(\*\*?|__?)(?=\S)([^\n]{1,2000}?)\2(?![\w*])|!?\[([^\]\n]{0,500})\]\(([^()\s]{1,500})(?:\s[^()\n]{0,200})?\)/g;

function inline(text) {
	const nodes = [];
	let at = 0;
	for (const { 0: whole, 1: code, 2: mark, 3: marked, 4: label, 5: address, index } of text.matchAll(INLINE)) {
		nodes.push(text.slice(at, index));
		at = index + whole.length;
		if (code) nodes.push(h("code", code));
		else if (mark) nodes.push(h(mark.length > 1 ? "strong" : "em", inline(marked)));
		else nodes.push(label && label !== address ? `${label} (${address})` : address);
	}
	return [...nodes, text.slice(at)].filter(Boolean);
}
