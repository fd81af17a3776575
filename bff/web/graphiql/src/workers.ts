// Monaco's workers lie beside graphiql.js, so that `worker-src 'self'` is enough.
const urls: Record<string, URL> = {
  json: new URL("./json.worker.js", import.meta.url),
  graphql: new URL("./graphql.worker.js", import.meta.url),
};
const editor = new URL("./editor.worker.js", import.meta.url);

Object.assign(globalThis, {
  MonacoEnvironment: { getWorker: (_id: string, label: string) => new Worker(urls[label] ?? editor, { name: label }) },
});

export {};
