/** The looks, constructed: no policy has to allow inline styles. */
export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
	--accent: var(--db-chat-accent, light-dark(#0a6a5c, #68d5bd));
	--on-accent: var(--db-chat-on-accent, light-dark(#fff, #04241d));
	--paper: var(--db-chat-background, light-dark(#fff, #161b1a));
	--ink: var(--db-chat-text, light-dark(#1a211f, #e6ebe9));
	--tint: color-mix(in srgb, var(--ink) 5%, var(--paper));
	--quiet: rgb(from var(--ink) r g b / .72);
	--hair: 1px solid rgb(from var(--ink) r g b / .14);
	--edge: 1px solid var(--quiet);
	--warn: light-dark(#8a4b08, #e9b872);
	display: block; height: 40rem; color: var(--ink); text-align: start;
	font: 400 1rem/1.55 var(--db-chat-font, system-ui, sans-serif);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; padding: 0; font: inherit; }
button, textarea, input { color: inherit; border: 0; background: none; }
:focus-visible:not(textarea), .composer:has(textarea:focus) { outline: 2px solid var(--accent); outline-offset: -2px; }
h2, h4, strong, .sort, .sql-keyword { font-weight: 650; }
em { font-style: italic; }

.root { position: relative; display: flex; flex-direction: column; height: 100%; overflow: hidden; container-type: inline-size; background: var(--paper); border: var(--hair); border-radius: var(--db-chat-radius, 14px); }
.head, .line, .stage, .asked, .tools, .samples, .panel li, .composer { display: flex; align-items: center; gap: .5rem; }
.tools, .samples { flex-wrap: wrap; }
.head { min-height: 3.5rem; padding: .5rem 1.25rem; border-bottom: var(--hair); }
.line { margin-inline-end: auto; white-space: nowrap; }
.line::before, .stage::before { content: "●"; font-size: 1rem; color: #b98d1d; }
[data-state="connected"]::before { color: #1c9c5f; }
.line, .stage, .figures, small, dt, .sql-comment { color: var(--quiet); font-size: .8125rem; }
.panel { position: absolute; inset: 3.5rem 0 0; z-index: 1; overflow: auto; padding: .5rem 1rem; background: var(--paper); }
.open { flex: 1; min-width: 0; display: grid; text-align: start; min-height: 2.75rem; }
.log { flex: 1; min-height: 0; display: flex; flex-direction: column; overflow-y: auto; padding: 0 1.25rem; }
.welcome { margin-top: auto; padding: 2rem 0 .75rem; font-size: 1.375rem; }
.turns { flex: 1; list-style: none; }
:is(ol, .slot, .tools, .samples):empty { display: none; }
.turn { padding: 1.25rem 0 1.5rem; overflow-wrap: anywhere; }
.turn:last-child { min-height: 100%; }
.asked { flex-direction: row-reverse; margin-bottom: 1rem; }
.question { min-width: 0; padding: .5rem .9rem; background: var(--tint); border-radius: 1.1rem 1.1rem .3rem; white-space: pre-wrap; }
.answer, .slot, .prose, .result { display: grid; gap: .75rem; grid-template-columns: minmax(0, 1fr); }

.prose { max-width: 42rem; unicode-bidi: isolate; }
.prose > * { content-visibility: auto; contain-intrinsic-height: auto 6rem; }
.prose p { white-space: pre-line; }
:is(.prose, .notes) :is(ul, ol) { padding-inline-start: 1.4em; }
code, pre, .null { font: .8125rem/1.6 var(--db-chat-mono, ui-monospace, monospace); unicode-bidi: isolate; }
pre, :not(pre) > code, .code, dl { background: var(--tint); border-radius: .5rem; padding: 0 .35em; }
pre { overflow: auto; padding: .75rem; }

.table, .figure { max-height: 24rem; width: fit-content; max-width: 100%; overflow: auto; border: var(--hair); border-radius: .65rem; }
table { border-spacing: 0; font-size: .875rem; line-height: 1.45; }
th, td { padding: .45rem .9rem; text-align: start; vertical-align: top; border-bottom: var(--hair); }
th { position: sticky; top: 0; background: var(--tint); color: var(--quiet); }
.sort { min-height: 1.5rem; }
[aria-sort] .sort::after { content: " ↑"; }
[aria-sort="descending"] .sort::after { content: " ↓"; }
bdi { display: inline-block; max-width: 24rem; white-space: pre-wrap; }
th bdi, .large bdi { max-width: 14rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }
.large { height: 24rem; contain: content; }
.large table { table-layout: fixed; }
.large :is(th, td) { height: 2.25rem; }
.large td bdi { max-width: 100%; }
.large [open] bdi { white-space: pre-wrap; }
.number, .moment { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: end; }
.null { color: var(--quiet); padding: 0 .35em; border: 1px dashed; }
.figure { padding: .75rem; max-height: none; }
.chart { display: block; max-width: 100%; height: auto; direction: ltr; }
.ground { fill: var(--paper); }
text { fill: var(--quiet); font: 12px sans-serif; }
.grid { stroke: rgb(from var(--ink) r g b / .14); }
.stroke { fill: none; stroke: var(--accent); stroke-width: 2; }
circle, rect:not(.ground) { fill: var(--accent); stroke: var(--accent); }

.notes, .failed { padding: .7rem 1rem; border-inline-start: 3px solid var(--warn); background: var(--tint); }
.failed { color: light-dark(#a8281c, #ffb3a6); }
details { min-width: 0; }
[open], form.tools { flex: 1 1 100%; }
summary:not(td *), .quiet, .chip, input { display: inline-flex; align-items: center; gap: .5em; min-height: 2rem; padding: .2rem .75rem; border: var(--hair); border-radius: 2rem; background: var(--paper); color: var(--quiet); font-size: .8125rem; }
.quiet { flex: none; }
summary:not(td *)::before { content: "▸"; }
[open] > summary:not(td *)::before { content: "▾"; }
.chip, input { color: var(--ink); border: var(--edge); font-size: .875rem; text-align: start; }
input { min-width: 0; flex: 1; }
:is(summary, .quiet, .chip):hover, [aria-pressed="true"] { color: var(--accent); border-color: currentColor; }
[name="down"] .icon { rotate: 180deg; }
.code, dl, summary + .table { margin-top: .5rem; }
.code, dl { padding: .5rem; }
.code pre { max-height: 22rem; white-space: pre-wrap; direction: ltr; text-align: left; }
.sql-keyword { color: var(--accent); }
.sql-string, .sql-number { color: var(--warn); }

.samples { padding: .75rem 1.25rem; max-height: 56%; overflow-y: auto; }
.composer { align-items: flex-end; margin: .5rem 1rem 1rem; padding: .35rem; border: var(--edge); border-radius: 1.4rem; }
textarea { outline: 0; flex: 1; min-width: 0; max-height: 12rem; padding: .4rem .8rem; resize: none; field-sizing: content; }
::placeholder { color: var(--quiet); }
.send, .launcher { flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
.send:disabled { background: var(--tint); color: var(--quiet); }
.icon { width: 1rem; height: 1rem; fill: none; stroke: currentColor; stroke-width: 1.75; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }

:host(:not([floating])) :is(.launcher, .tool:last-child) { display: none; }
:host([floating]) { position: fixed; inset-block: auto 1rem; inset-inline: auto 1rem; z-index: 1000; height: auto; }
:host([floating][open]) { width: min(28rem, 100vw - 2rem); height: min(44rem, 100dvh - 2rem); }
:host([floating]:not([open])) .root, :host([open]) .launcher { display: none; }
@container (max-width: 34rem) { [data-state="connected"] { font-size: 0; } }
@media (forced-colors: active) { [aria-pressed="true"] { outline: 2px solid; } }
`);
