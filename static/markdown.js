/** Prose as a fixed set of elements. Links stay text with their address: they could carry rows to a stranger's server. */
import { h } from "./dom.js";

const FENCE = /^\s{0,3}(```|~~~)/;
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;

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
	return ITEM.test(line) ? "list" : "text";
}

function split(text) {
	const blocks = [];
	let kind = null;
	for (const line of text.split(/\r\n?|\n/)) {
		const add = () => blocks.push(`${blocks.pop()}\n${line}`);
		if (kind === "fence") {
			add();
			if (FENCE.test(line)) kind = null;
		} else if (line.trim() === "") kind = null;
		else if ((kind === "list" && /^\s/.test(line)) || (kind === kindOf(line) && kind !== "single" && kind !== "fence")) add();
		else {
			kind = kindOf(line);
			blocks.push(line);
		}
	}
	return blocks;
}

function draw(block) {
	const lines = block.split("\n");
	if (FENCE.test(block)) return h("pre", { tabindex: 0 }, h("code", lines.slice(1, FENCE.test(lines.slice(1).at(-1)) ? -1 : undefined).join("\n")));
	if (lines.length === 1 && HEADING.test(block)) return h("h4", inline(HEADING.exec(block)[1]));
	if (ITEM.test(lines[0])) return drawList(lines);
	return h("p", { dir: "auto" }, inline(lines.map((line) => line.trim()).join("\n")));
}

function drawList(lines) {
	const [, margin, start] = ITEM.exec(lines[0]);
	const items = [];
	for (let at = 0; at < lines.length; ) {
		const text = ITEM.exec(lines[at])?.[3] ?? lines[at].trim();
		const inner = [];
		for (at += 1; at < lines.length && lines[at].search(/\S/) > margin.length; at += 1) inner.push(lines[at]);
		const first = inner.findIndex((line) => ITEM.test(line));
		const own = inner.splice(0, first < 0 ? inner.length : first).map((line) => ` ${line.trim()}`);
		items.push(h("li", { dir: "auto" }, inline(text + own.join("")), inner.length > 0 && drawList(inner)));
	}
	return h(start ? "ol" : "ul", { start }, items);
}

// Bounded, and no two parts take the same characters: hostile text cannot make the search slow.
const INLINE = /`([^`\n]{1,2000})`|(\*\*|__)(?=\S)([^\n]{1,2000}?)\2|(?<![\w*])\*(?=[^\s*])([^*\n]{1,2000}?)\*(?![\w*])|(?<![\w_])_(?=[^\s_])([^_\n]{1,2000}?)_(?![\w_])|!?\[([^\]\n]{0,500})\]\(([^()\s]{1,500})(?:\s[^()\n]{0,200})?\)/g;

function inline(text) {
	const nodes = [];
	let at = 0;
	for (const { 0: whole, 1: code, 3: bold, 4: star, 5: line, 6: label, 7: address, index } of text.matchAll(INLINE)) {
		nodes.push(text.slice(at, index));
		at = index + whole.length;
		if (code) nodes.push(h("code", code));
		else if (bold) nodes.push(h("strong", inline(bold)));
		else if (star ?? line) nodes.push(h("em", inline(star ?? line)));
		else nodes.push(label && label !== address ? `${label} (${address})` : address);
	}
	return [...nodes, text.slice(at)].filter(Boolean);
}
