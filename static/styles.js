/**
 * The widget's looks as a constructed style sheet: it needs no `unsafe-inline` on the page that embeds it.
 *
 * Host pages set the `--db-chat-*` properties; light or dark follows the page's `color-scheme`.
 */

export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
  --accent: var(--db-chat-accent, light-dark(#0a6a5c, #68d5bd));
  --on-accent: var(--db-chat-on-accent, light-dark(#ffffff, #04241d));
  --paper: var(--db-chat-background, light-dark(#ffffff, #161b1a));
  --tint: var(--db-chat-tint, light-dark(#f3f5f1, #1f2625));
  --ink: var(--db-chat-text, light-dark(#1a211f, #e6ebe9));
  --quiet: var(--db-chat-muted, light-dark(#586360, #a0ada9));
  --hair: light-dark(#e1e5df, #2e3735);
  --edge: light-dark(#818b87, #6d7a76);
  --alarm: light-dark(#a8281c, #ffb3a6);
  --alarm-tint: light-dark(#fdf1ef, #2c1d1b);
  --warn-tint: light-dark(#fdf6e3, #2a2518);
  --warn-edge: light-dark(#d9a520, #b98d1d);
  --sans: var(--db-chat-font, ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif);
  --mono: var(--db-chat-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace);
  --radius: var(--db-chat-radius, 14px);
  display: block;
  height: 40rem;
  min-height: 0;
  color: var(--ink);
  font: 400 1rem/1.55 var(--sans);
  text-align: start;
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
h2, h3, h4, p, ol, ul, dl, dd, pre { margin: 0; padding: 0; font: inherit; }
button, textarea { font: inherit; color: inherit; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.root {
  display: flex; flex-direction: column; height: 100%; overflow: hidden; container-type: inline-size;
  background: var(--paper); border: 1px solid var(--hair); border-radius: var(--radius);
}
.head {
  display: flex; align-items: center; gap: .75rem; min-height: 3.5rem; padding: .5rem .75rem .5rem 1.25rem;
  border-bottom: 1px solid var(--hair);
}
.head h2 { font-weight: 650; letter-spacing: -.01em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.line { display: inline-flex; align-items: center; gap: .45em; margin-inline-end: auto; color: var(--quiet); font-size: .8125rem; white-space: nowrap; }
.line::before { content: ""; width: .5em; height: .5em; border-radius: 50%; background: var(--edge); }
.line[data-state="open"]::before { background: light-dark(#1c9c5f, #4fd08d); }
.line[data-state="retrying"]::before, .line[data-state="fallback"]::before { background: var(--warn-edge); }

.log { flex: 1; min-height: 0; display: flex; flex-direction: column; overflow-y: auto; overscroll-behavior: contain; padding: 0 1.25rem; scrollbar-width: thin; }
.log:focus-visible { outline-offset: -3px; }
.welcome { margin-top: auto; padding: 2rem 0 .75rem; color: var(--quiet); max-width: 36rem; text-wrap: pretty; }
.welcome-title { color: var(--ink); font-size: 1.375rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.25; margin-bottom: .375rem; }
.turns { list-style: none; flex: 1; min-height: 0; }
.turns:empty { display: none; }
.turn { padding: 1.25rem 0 1.5rem; }
.turn:last-child { min-height: 100%; }
.turn + .turn { border-top: 1px solid var(--hair); }
.question {
  width: fit-content; max-width: 88%; margin-inline-start: auto; padding: .5rem .9rem;
  background: var(--tint); border-radius: 1.1rem 1.1rem .3rem 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere;
}
.answer { display: grid; gap: .75rem; margin-top: 1rem; grid-template-columns: minmax(0, 1fr); }
.slot { display: grid; gap: .75rem; grid-template-columns: minmax(0, 1fr); }
.slot:empty { display: none; }

.stage { display: flex; align-items: center; gap: .6rem; color: var(--quiet); font-size: .9375rem; overflow-wrap: anywhere; }
.stage::before {
  content: ""; flex: none; width: .875rem; height: .875rem; border-radius: 50%;
  border: 2px solid var(--hair); border-top-color: var(--accent); animation: turn .9s linear infinite;
}
@keyframes turn { to { rotate: 1turn; } }

.prose { display: grid; gap: .7em; max-width: 42rem; overflow-wrap: anywhere; unicode-bidi: isolate; grid-template-columns: minmax(0, 1fr); }
.prose p { white-space: pre-line; }
.prose h4 { font-weight: 650; margin-top: .3em; }
.prose ul, .prose ol { padding-inline-start: 1.4em; }
.prose li { padding-inline-start: .15em; }
.prose li::marker { color: var(--quiet); }
.prose li + li { margin-top: .2em; }
.prose hr { width: 100%; border: 0; border-top: 1px solid var(--hair); }
.prose code { font: .875em/1.5 var(--mono); background: var(--tint); padding: .1em .35em; border-radius: .3em; }
.prose pre { overflow-x: auto; background: var(--tint); padding: .75rem 1rem; border-radius: .6rem; font: .8125rem/1.55 var(--mono); }
.prose pre code { padding: 0; background: none; font: inherit; }
[data-state="working"] .prose > :last-child::after {
  content: ""; display: inline-block; width: .5em; height: 1.05em; margin-inline-start: .2em; vertical-align: -.15em;
  background: var(--accent); border-radius: 1px; animation: blink 1.1s steps(2, jump-none) infinite;
}
@keyframes blink { to { opacity: 0; } }

.table { overflow: auto; max-height: 24rem; max-width: 100%; width: fit-content; border: 1px solid var(--hair); border-radius: .65rem; scrollbar-width: thin; }
.table table { border-collapse: separate; border-spacing: 0; font-size: .875rem; line-height: 1.45; }
.table th, .table td { padding: .45rem .9rem; text-align: start; vertical-align: top; border-bottom: 1px solid var(--hair); }
.table tr:last-child td { border-bottom: 0; }
.table th { position: sticky; top: 0; background: var(--tint); color: var(--quiet); font-weight: 600; font-size: .8125rem; white-space: nowrap; }
.table bdi { display: inline-block; max-width: 24rem; overflow-wrap: break-word; white-space: pre-wrap; }
.table th bdi { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 14rem; vertical-align: bottom; }
.table .number { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums; }
.table .moment { white-space: nowrap; font-variant-numeric: tabular-nums; }
.table tbody tr:hover td { background: light-dark(#fafbf9, #1a201f); }
.null { color: var(--quiet); font: .75em/1 var(--mono); letter-spacing: .04em; padding: .1em .35em; border: 1px dashed var(--edge); border-radius: .3em; }
.fold { border: 0; background: none; padding: 0 .25em; color: var(--accent); cursor: pointer; text-decoration: underline; text-underline-offset: .15em; min-height: 1.5rem; }
.table.single { border: 0; background: var(--tint); }
.table.single th { background: none; padding: .7rem 1.1rem 0; border: 0; }
.table.single td { padding: 0 1.1rem .75rem; font-size: 1.75rem; font-weight: 600; letter-spacing: -.02em; line-height: 1.25; text-align: start; }
.table.single th { text-align: start; }
.table.single tbody tr:hover td { background: none; }
.table.single td.text { font-size: 1rem; font-weight: 400; letter-spacing: 0; }
.table-with-note { display: grid; gap: .5rem; grid-template-columns: minmax(0, 1fr); }
.table-foot { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; }
.table-note { color: var(--quiet); font-size: .8125rem; }

.notes { padding: .7rem 1rem; background: var(--warn-tint); border-inline-start: 3px solid var(--warn-edge); border-radius: .3rem .65rem .65rem .3rem; font-size: .875rem; overflow-wrap: anywhere; }
.notes strong { font-weight: 650; }
.notes ul { padding-inline-start: 1.1em; }
.ended { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; color: var(--quiet); overflow-wrap: anywhere; }
.failed { padding: .75rem 1rem; color: var(--alarm); background: var(--alarm-tint); border-inline-start: 3px solid var(--alarm); border-radius: .3rem .65rem .65rem .3rem; }
.failed p { flex: 1 1 16rem; min-width: 0; }

.details { display: flex; flex-wrap: wrap; align-items: flex-start; gap: .5rem; font-size: .875rem; }
.details:empty { display: none; }
details { min-width: 0; }
details[open] { flex: 1 1 100%; }
summary {
  display: inline-flex; align-items: center; gap: .5em; min-height: 2rem; padding: 0 .8rem; cursor: pointer; list-style: none;
  border: 1px solid var(--hair); border-radius: 2rem; color: var(--quiet); font-size: .8125rem; font-weight: 550; user-select: none;
}
summary::-webkit-details-marker { display: none; }
summary::before { content: ""; width: .35em; height: .35em; border: solid currentColor; border-width: 0 1.5px 1.5px 0; rotate: -45deg; transition: rotate .15s; }
details[open] > summary::before { rotate: 45deg; }
summary:hover, .quiet:hover, .chip:hover { color: var(--ink); border-color: var(--edge); background: var(--tint); }
.figures { color: var(--quiet); font-size: .8125rem; line-height: 2rem; margin-inline-start: .25rem; font-variant-numeric: tabular-nums; }
.code { position: relative; margin-top: .5rem; background: var(--tint); border-radius: .65rem; }
.code pre { overflow: auto; max-height: 22rem; padding: .9rem 5.5rem .9rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; direction: ltr; text-align: left; border-radius: inherit; scrollbar-width: thin; }
code { font: .8125rem/1.6 var(--mono); unicode-bidi: isolate; }
.copy { position: absolute; inset-block-start: .5rem; inset-inline-end: .5rem; }
.sql-keyword { color: light-dark(#0a6a5c, #68d5bd); font-weight: 600; }
.sql-string { color: light-dark(#8a4b08, #e9b872); }
.sql-number { color: light-dark(#8a2f6b, #eba3d0); }
.sql-comment { color: var(--quiet); font-style: italic; }
.evidence dl { margin-top: .5rem; padding: .8rem 1rem; background: var(--tint); border-radius: .65rem; display: grid; gap: .15rem; }
.evidence dt { color: var(--quiet); font-size: .75rem; font-weight: 600; letter-spacing: .02em; }
.evidence dd + dt { margin-top: .5rem; }
.evidence dd { overflow-wrap: anywhere; }

.quiet, .chip {
  display: inline-flex; align-items: center; gap: .4em; min-height: 2rem; padding: .25rem .8rem; cursor: pointer;
  background: var(--paper); border: 1px solid var(--hair); border-radius: 2rem; font-size: .8125rem; font-weight: 550; color: var(--quiet);
}
.chip { min-height: 2.25rem; padding: .35rem .95rem; color: var(--ink); border-color: light-dark(#cfd6d0, #3c4744); font-size: .875rem; font-weight: 450; text-align: start; overflow-wrap: anywhere; }
.options { display: flex; flex-wrap: wrap; gap: .5rem; }
.failed .quiet { color: inherit; border-color: currentColor; background: none; }
.samples { display: flex; flex-wrap: wrap; gap: .5rem; padding: .75rem 1.25rem; max-height: 45%; overflow-y: auto; }
.composer {
  display: flex; align-items: flex-end; gap: .5rem; margin: .5rem 1rem 0; padding: .35rem; background: var(--paper);
  border: 1px solid var(--edge); border-radius: 1.4rem;
}
.composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea { flex: 1; min-width: 0; max-height: 12rem; padding: .4rem .5rem .4rem .8rem; border: 0; background: none; resize: none; field-sizing: content; line-height: 1.5; overflow-wrap: anywhere; }
textarea:focus { outline: 0; }
textarea::placeholder { color: var(--quiet); opacity: 1; }
.send { flex: none; display: grid; place-items: center; width: 2.25rem; height: 2.25rem; padding: 0; border: 0; border-radius: 50%; cursor: pointer; background: var(--accent); color: var(--on-accent); }
.send:disabled { background: var(--tint); color: var(--quiet); cursor: default; }
.icon { width: 1rem; height: 1rem; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
.icon-stop { fill: currentColor; }
.foot { display: flex; align-items: center; gap: .75rem; min-height: 2.75rem; padding: .35rem 1.25rem; color: var(--quiet); font-size: .75rem; }
.keys { margin-inline-start: auto; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container (max-width: 34rem) {
  .head { padding-inline-start: 1rem; }
  .line { font-size: 0; gap: 0; }
  .line::before { font-size: .8125rem; }
  .log { padding: 0 1rem; }
  .welcome { padding-top: 1.25rem; }
  .samples { padding: .75rem 1rem; }
  .composer { margin: .25rem .75rem 0; }
  .foot { padding: .35rem 1rem; }
  .keys, .head button span { display: none; }
  .foot:not(:has(button:not([hidden]))) { min-height: .75rem; padding-block: 0; }
  .question { max-width: 94%; }
}
@media (pointer: coarse) {
  .keys { display: none; }
  summary, .quiet, .chip { min-height: 2.5rem; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .send, .line::before { forced-color-adjust: none; }
}
`);
