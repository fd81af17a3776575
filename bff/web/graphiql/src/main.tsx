import "./workers";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { editor } from "monaco-graphql/esm/monaco-editor.js";
import { pageStorage } from "./storage";
import "@graphiql/react/font/roboto.css";
import "@graphiql/react/font/fira-code.css";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./page.css";

/** What the service writes into the page. */
type Settings = {
  endpoint?: string;
  /** The query that is ready to run. */
  query?: string;
  /** Request headers as JSON text: the token of this start of the service. */
  headers?: string;
};

// Monaco takes Cyrillic letters among Latin ones for an attack and frames them.
editor.onDidCreateEditor((created) => {
  created.updateOptions({ unicodeHighlight: { ambiguousCharacters: false, nonBasicASCII: false } });
});

/** Fails with what the server said, not with "Unexpected token '<'", if a reply is not JSON. */
async function fetchJson(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (/\bjson\b/.test(response.headers.get("content-type") ?? "")) return response;
  throw new Error(`HTTP ${response.status} ${response.statusText}: ${(await response.text()).slice(0, 1000)}`);
}

const settings: Settings = JSON.parse(document.getElementById("kabinet-graphiql")?.textContent || "{}");
const headers = settings.headers || undefined;
const storage = pageStorage(headers);

// A ready query not shown here before opens in a tab of its own; afterwards the reader's tabs are left as they were.
if (settings.query && storage.getItem("readyQuery") !== settings.query) {
  storage.setItem("readyQuery", settings.query);
  storage.setItem("graphiql:query", settings.query); // what the editors show at the start; GraphiQL finds or adds the tab
  storage.removeItem("graphiql:variables");
}

createRoot(document.getElementById("graphiql")!).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({
      url: settings.endpoint || "/graphql",
      enableIncrementalDelivery: false,
      fetch: fetchJson,
    })}
    storage={storage}
    defaultTheme="light"
    defaultQuery={settings.query}
    defaultHeaders={headers}
    initialHeaders={headers}
    shouldPersistHeaders={false}
    defaultEditorToolsVisibility={headers ? "headers" : undefined}
  >
    <GraphiQL.Logo>
      <span className="kabinet-logo">kabinet</span>
    </GraphiQL.Logo>
  </GraphiQL>,
);
