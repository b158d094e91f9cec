// Vitest settings of the hooks: real React in happy-dom, the client from its source.
import { defineConfig } from "vitest/config";

const conditions = ["@parlour/source", "import", "module", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { environment: "happy-dom", include: ["src/**/*.test.tsx", "test/**/*.test.tsx"] },
});
