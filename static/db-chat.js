/** `<db-chat>`: a chat with a database, on any page. docs/WIDGET.md tells how to use it. */
import { startChat } from "./chat.js";
import { sheet } from "./styles.js";

const HOME = new URL("..", import.meta.url).href;

class DbChat extends HTMLElement {
	static observedAttributes = ["title", "placeholder", "questions", "language", "server"];

	#callbacks = {};
	#chat = null;

	static {
		const define = (name, get, set) => Object.defineProperty(this.prototype, name, { get, set });
		for (const name of ["server", "placeholder", "theme", "language", "ticket-url"]) {
			define(name.replace("-u", "U"), function () { return this.getAttribute(name) ?? ""; }, function (value) { this.setAttribute(name, value); });
		}
		for (const name of ["getToken", "getTicket"]) define(name, function () { return this.#callbacks[name]; }, function (callback) {
			this.#callbacks[name] = callback;
			if (this.#chat) this.#start();
		});
	}

	constructor() {
		super();
		this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
	}

	connectedCallback() {
		// What a page has set before this class was there hides the accessors.
		for (const [name, value] of Object.entries(this)) {
			delete this[name];
			this[name] = value;
		}
		this.#start();
	}

	disconnectedCallback() {
		this.#chat.close();
		this.#chat = null;
	}

	attributeChangedCallback(name, before, now) {
		if (!this.#chat || before === now) return;
		if (name === "server" || name === "language") this.#start();
		else this.#chat.showAttributes();
	}

	get questions() {
		try {
			return [JSON.parse(this.getAttribute("questions") ?? "[]")].flat().map(String);
		} catch {
			return [];
		}
	}

	set questions(questions) {
		this.setAttribute("questions", JSON.stringify(questions));
	}

	focus(options) {
		this.#chat?.input.focus(options);
	}

	show() {
		this.toggleAttribute("open", true);
		this.focus();
	}

	hide() {
		this.toggleAttribute("open", false);
		this.#chat?.launcher.focus();
	}

	ask(question) {
		return this.#chat?.ask(question) ?? false;
	}

	stop() {
		this.#chat?.stop();
	}

	reset() {
		this.#chat?.open(null);
	}

	#start() {
		this.#chat?.close();
		let language = this.language || this.closest("[lang]")?.lang || "en";
		try {
			Intl.getCanonicalLocales(language);
		} catch {
			language = "en";
		}
		this.#chat = startChat(this, new URL(this.server || HOME, document.baseURI).href.replace(/\/+$/, ""), language);
	}
}

if (!customElements.get("db-chat")) customElements.define("db-chat", DbChat);
