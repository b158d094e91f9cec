// The unit tests of the inbox: models and formatters, in one time zone and language everywhere.
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: [{ find: /^react$/, replacement: "preact/compat" }],
    conditions: ["@parlour/source"],
  },
  test: { include: ["src/**/*.test.ts"], env: { TZ: "UTC" } },
});
