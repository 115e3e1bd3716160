/** Every text of the widget itself, in English and German. `{name}` is a place for a value; `a|b` are one and many. */
export const LANGUAGES = ["en", "de"];

export const TEXTS = {
	title: ["Ask the database", "Frag die Datenbank"],
	placeholder: ["Ask a question about your data", "Frag etwas zu deinen Daten"],
	question: ["Your question", "Deine Frage"],
	conversation: ["Conversation", "Gespräch"],
	welcome: ["What would you like to know?", "Was möchtest du wissen?"],
	welcomeMore: ["Every answer can be checked.", "Jede Antwort lässt sich prüfen."],
	examples: ["Examples", "Beispiele"],
	suggestions: ["Go on with", "Weiter mit"],
	send: ["Send", "Senden"],
	stop: ["Stop", "Anhalten"],
	keys: ["Enter sends · Shift+Enter for a new line · Esc stops", "Enter sendet · Umschalt+Enter: neue Zeile · Esc hält an"],
	open: ["Open the chat", "Chat öffnen"],
	close: ["Close", "Schließen"],
	newConversation: ["New conversation", "Neues Gespräch"],
	conversations: ["Conversations", "Gespräche"],
	noConversations: ["No conversations yet.", "Noch keine Gespräche."],
	rename: ["Rename", "Umbenennen"],
	remove: ["Delete", "Löschen"],
	removeSure: ["Delete for good?", "Endgültig löschen?"],
	working: ["Working on it", "In Arbeit"],
	stopped: ["Stopped.", "Angehalten."],
	askAgain: ["Ask again", "Nochmal fragen"],
	tryAgain: ["Try again", "Nochmal versuchen"],
	edit: ["Edit", "Ändern"],
	copy: ["Copy", "Kopieren"],
	copyRows: ["Copy rows", "Zeilen kopieren"],
	copySql: ["Copy SQL", "SQL kopieren"],
	copied: ["Copied", "Kopiert"],
	copyFailed: ["Select the text to copy it", "Zum Kopieren Text markieren"],
	up: ["Good answer", "Gute Antwort"],
	down: ["Bad answer", "Schlechte Antwort"],
	thanks: ["Thank you.", "Danke."],
	evidence: ["Evidence", "Belege"],
	tables: ["Tables read", "Gelesene Tabellen"],
	filters: ["Filters", "Filter"],
	joins: ["Joins", "Verknüpfungen"],
	warnings: ["Please note", "Bitte beachten"],
	unverified: ["Not found in the rows: {numbers}. Please check.", "Nicht in den Zeilen gefunden: {numbers}. Bitte prüfen."],
	result: ["Result", "Ergebnis"],
	rows: ["{n} row|{n} rows", "{n} Zeile|{n} Zeilen"],
	cut: ["First {n} rows shown; the whole result is larger.", "Die ersten {n} Zeilen; das ganze Ergebnis ist größer."],
	table: ["Table", "Tabelle"],
	chart: ["Chart", "Diagramm"],
	by: ["{measure} by {group}", "{measure} nach {group}"],
	download: ["Download {kind}", "{kind} herunterladen"],
	connecting: ["Connecting", "Verbindet"],
	connected: ["Connected", "Verbunden"],
	retrying: ["Reconnecting", "Verbindet neu"],
	fallback: ["No live connection", "Keine Live-Verbindung"],
	reconnecting: ["Connection lost, picking the answer up again", "Verbindung verloren, wird fortgesetzt"],
	connection_lost: ["The connection was lost before the answer was complete. Please ask again.", "Die Verbindung brach vor dem Ende der Antwort ab. Bitte frag nochmal."],
	unreachable: ["The server can't be reached from this page. Please try again.", "Der Server ist nicht erreichbar. Bitte versuch es nochmal."],
	unexpected: ["That did not work. Please try again.", "Das hat nicht geklappt. Bitte versuch es nochmal."],
};

export function textsFor(language) {
	const at = Math.max(0, LANGUAGES.indexOf(language.toLowerCase().split("-")[0]));
	const { format } = new Intl.NumberFormat(language);
	return (key, values = {}) => {
		const [one, many = one] = TEXTS[key][at].split("|");
		return (values.n === 1 ? one : many).replace(/\{(\w+)\}/g, (_, name) => (name === "n" ? format(values.n) : values[name]));
	};
}
