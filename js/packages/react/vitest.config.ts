// Vitest settings of the hooks: the same tests on real React and on Preact's compat layer, the client from its source.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const conditions = ["@parlour/source", "import", "module", "default"];
const resolve = { conditions };
const include = ["src/**/*.test.tsx"];

export default defineConfig({
  test: {
    projects: [
      { resolve, ssr: { resolve }, test: { name: "react", environment: "happy-dom", include } },
      {
        resolve: {
          conditions,
          alias: [
            { find: /^react$/, replacement: fileURLToPath(new URL("test/preact.ts", import.meta.url)) },
            { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
            { find: /^react\/jsx(-dev)?-runtime$/, replacement: "preact/jsx-runtime" },
          ],
        },
        ssr: { resolve },
        test: { name: "preact", environment: "happy-dom", include },
      },
    ],
  },
});
