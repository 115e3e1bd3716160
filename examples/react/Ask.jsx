/**
 * db-chat in React 19, which sets properties and listens to events of custom elements. Load the module once:
 * <script type="module" src="https://chat.example.com/static/db-chat.js"></script>
 */
import { useEffect, useRef } from "react";

export function Ask({ getToken, onAnswer, questions }) {
  const chat = useRef(null);

  useEffect(() => {
    const element = chat.current;
    const listen = ({ detail }) => onAnswer?.(detail);
    element.addEventListener("db-chat-answer", listen);
    return () => element.removeEventListener("db-chat-answer", listen);
  }, [onAnswer]);

  // Arrays and functions are properties; everything else may be an attribute.
  return <db-chat ref={chat} title="Ask our data" questions={questions} getToken={getToken} />;
}
