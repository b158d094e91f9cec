// Builds the inbox: Preact under the names of React, hashed assets, nothing inline; the server embeds dist/.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const server = process.env.PARLOUR_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  resolve: {
    alias: [
      { find: /^react$/, replacement: "preact/compat" },
      { find: /^react-dom$/, replacement: "preact/compat" },
      { find: /^react\/jsx-runtime$/, replacement: "preact/jsx-runtime" },
    ],
    dedupe: ["preact"],
    conditions: ["@parlour/source", "module", "browser", "development|production"],
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  css: { modules: { localsConvention: "camelCaseOnly" } },
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      "/api": { target: server, ws: true },
    },
  },
  preview: { proxy: { "/api": { target: server, ws: true } } },
  root: fileURLToPath(new URL(".", import.meta.url)),
});
