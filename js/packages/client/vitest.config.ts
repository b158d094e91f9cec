// Vitest settings of the client: plain Node, no browser. Node 20 has its WebSocket behind a flag.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    execArgv: ["--experimental-websocket", "--no-warnings"],
  },
});
