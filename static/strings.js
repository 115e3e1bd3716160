/** Every text of the widget: English / German, `a|b` for one and many, `{name}` a place for a value. */
export const LANGUAGES = ["en", "de"];

export const TEXTS = Object.fromEntries(`
title = Ask the database / Frag die Datenbank
question = Your question / Deine Frage
conversation = Conversation / Gespräch
welcome = What would you like to know? / Was möchtest du wissen?
suggestions = Suggestions / Vorschläge
send = Send / Senden
stop = Stop / Anhalten
open = Open the chat / Chat öffnen
close = Close / Schließen
newConversation = New conversation / Neues Gespräch
conversations = Conversations / Gespräche
noConversations = No conversations yet. / Noch keine Gespräche.
rename = Rename / Umbenennen
remove = Delete / Löschen
removeSure = Delete for good? / Endgültig löschen?
working = Working on it / In Arbeit
stopped = Stopped. / Angehalten.
askAgain = Ask again / Nochmal fragen
edit = Edit / Ändern
copy = Copy / Kopieren
copySql = Copy SQL / SQL kopieren
copied = Copied / Kopiert
up = Good answer / Gute Antwort
down = Bad answer / Schlechte Antwort
comment = Why? / Warum?
thanks = Thank you. / Danke.
evidence = Evidence / Belege
tables = Tables read / Gelesene Tabellen
filters = Filters / Filter
joins = Joins / Verknüpfungen
cost = Cost / Kosten
warnings = Please note / Bitte beachten
unverified = Not found in the rows: {numbers}. / Nicht in den Zeilen gefunden: {numbers}.
result = Result / Ergebnis
rows = {n} row|{n} rows / {n} Zeile|{n} Zeilen
cut = First {n} rows shown; the whole result is larger. / Die ersten {n} Zeilen; das ganze Ergebnis ist größer.
table = Table / Tabelle
by = {measure} by {group} / {measure} nach {group}
download = Download {kind} / {kind} herunterladen
connecting = Connecting / Verbindet
connected = Connected / Verbunden
retrying = Reconnecting / Verbindet neu
fallback = No live connection / Keine Live-Verbindung
connection_lost = The connection was lost before the answer was complete. / Die Verbindung brach mitten in der Antwort ab.
unreachable = The server can't be reached from this page. / Der Server ist nicht erreichbar.
origin_not_allowed = The server does not let this page use the chat. / Der Server lässt diese Seite nicht zu.
authentication_required = You are not signed in, or no longer. / Du bist nicht mehr angemeldet.
unexpected = That did not work. / Das hat nicht geklappt.
`.trim().split("\n").map((line) => line.split(" = ")).map(([key, texts]) => [key, texts.split(" / ")]));

export function textsFor(language) {
	const at = Math.max(0, LANGUAGES.indexOf(language.toLowerCase().split("-")[0]));
	const { format } = new Intl.NumberFormat(language);
	return (key, values = {}) => {
		const [one, many = one] = TEXTS[key][at].split("|");
		return (values.n === 1 ? one : many).replace(/\{(\w+)\}/g, (_, name) => (name === "n" ? format(values.n) : values[name]));
	};
}
