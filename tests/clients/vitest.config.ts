// Vitest settings of the kit: plain Node, a document for the React clients alone, and what the clients saw printed as it is.
import { defineConfig } from "vitest/config";

const shared = {
  pool: "forks",
  testTimeout: 45_000,
  hookTimeout: 45_000,
} as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    // The lines that say what a real client saw are part of the result.
    disableConsoleIntercept: true,
    projects: [
      { test: { ...shared, name: "node", include: ["tests/**/*.test.ts", "real/**/*.test.ts"] } },
      {
        test: { ...shared, name: "react", include: ["tests/**/*.test.tsx"], setupFiles: ["support/dom.ts"] },
      },
    ],
  },
});
