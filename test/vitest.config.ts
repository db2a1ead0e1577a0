import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL("..", import.meta.url))
// .ci/run counts the tests from it.
const report = process.env.TEST_REPORT

export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^effect-recorder$/, replacement: `${root}src/index.ts` },
      { find: /^effect-recorder\/(.*)$/, replacement: `${root}src/$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/.tmp/**"],
    globalSetup: ["test/support/postgres/globalSetup.ts"],
    pool: "forks",
    poolOptions: {
      forks: {
        // A worker thread of src is a TypeScript file here.
        execArgv: ["--import", new URL("./support/processes/workers.mjs", import.meta.url).href],
        // All processors: by default one is kept for the program that only waits for the others.
        maxForks: availableParallelism()
      }
    },
    testTimeout: 20_000,
    // The servers of the tests do not wait for the disk, which every storage on them says. Its own test captures it.
    onConsoleLog: (text) => !text.includes("may lose what was saved successfully"),
    hookTimeout: 60_000,
    reporters: report === undefined ? ["default"] : ["default", "json"],
    outputFile: report === undefined ? {} : { json: report }
  }
})
