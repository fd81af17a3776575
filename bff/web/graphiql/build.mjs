// Builds GraphiQL into dist/, for serving from our own origin: no CDN, no data: fonts, fixed file names.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
process.chdir(here);
const started = performance.now();
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

// @graphiql/react carries its fonts as data: addresses, 28 Roboto and 6 Fira Code faces. Written out as files they need
// no `font-src data:`, and the browser fetches only the alphabets on the page: Latin and Cyrillic; others use system fonts.
const fonts = {
  name: "fonts",
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /[\\/]@graphiql[\\/]react[\\/]font[\\/].*\.css$/ }, ({ path }) => {
      const font = basename(path, ".css");
      let count = 0;
      const faces = readFileSync(path, "utf8").match(/@font-face\s*\{[^}]*\}/g) ?? [];
      const contents = faces
        .filter((face) => /U\+04|U\+0000|U\+0100/i.test(face))
        .map((face) =>
          face.replace(/url\(["']?data:[^;]+;base64,([^)"']+)["']?\)/, (_, data) => {
            const file = `${font}-${++count}.woff2`;
            writeFileSync(join(dist, file), Buffer.from(data, "base64"));
            return `url(./${file})`;
          }),
        )
        .join("\n");
      if (!count || contents.includes("data:")) throw new Error(`${path}: its fonts are written in another way than expected`);
      return { contents, loader: "css" };
    });
    onResolve({ filter: /^\.\/(roboto|fira-code)-\d+\.woff2$/ }, ({ path }) => ({ path, external: true }));
  },
};

// The formatter behind "Prettify" is a fifth of the page and seldom used: files of its own, fetched at its first use.
const prettier = ["standalone", "plugins/babel", "plugins/estree", "plugins/graphql"];
const prettierFile = (part) => `prettier-${part.split("/").at(-1)}`;
const lazyPrettier = {
  name: "prettier",
  setup({ onResolve }) {
    onResolve({ filter: /^prettier\// }, ({ path, kind }) => {
      const part = path.slice("prettier/".length).replace(/^parser-/, "plugins/"); // the same module, under its older name
      if (kind !== "dynamic-import" || !prettier.includes(part)) throw new Error(`${path} is not expected as ${kind}`);
      return { path: `./${prettierFile(part)}.js`, external: true };
    });
  },
};

const common = {
  bundle: true,
  minify: true,
  target: ["chrome109", "firefox115", "safari16.4"],
  legalComments: "none", // the licences of everything bundled are in dist/LICENSES.txt
  metafile: true,
  logLevel: "warning",
  outdir: dist,
};
const results = await Promise.all([
  build({
    ...common,
    entryPoints: { graphiql: "src/main.tsx" },
    format: "esm",
    assetNames: "[name]",
    jsx: "automatic",
    loader: { ".ttf": "file" },
    external: ["graphql-ws"], // an optional peer, for subscriptions, which are not served
    plugins: [fonts, lazyPrettier],
  }),
  build({
    ...common,
    entryPoints: Object.fromEntries(prettier.map((part) => [prettierFile(part), `prettier/${part}`])),
    format: "esm",
  }),
  build({
    ...common,
    entryPoints: {
      "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
      "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
      "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    },
    format: "iife",
  }),
]);

const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
const packages = new Set(inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
const licences = [...packages].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|thirdparty|copying)/i.test(file));
  return [`${name} ${version} (${license})`, ...texts.map((file) => readFileSync(join(folder, file), "utf8").trim())].join("\n\n");
});
writeFileSync(join(dist, "LICENSES.txt"), licences.join(`\n\n${"=".repeat(100)}\n\n`) + "\n");

const outputs = results.flatMap(({ metafile }) => Object.entries(metafile.outputs));
for (const [path, { bytes }] of outputs) console.log(`${String(Math.round(bytes / 1024)).padStart(6)} KiB  ${path}`);
console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
for (const file of ["graphiql.js", "graphiql.css", "codicon.ttf"]) {
  if (!existsSync(join(dist, file))) throw new Error(`dist/${file} was not written`);
}
