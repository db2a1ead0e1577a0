/** What `vitest.shared.config.ts` leaves: servers, files, faults and long laws, each file in a process of its own. */
import { defineConfig } from "vitest/config"
import suite from "./vitest.config.js"
import { sharing } from "./vitest.shared.config.js"

export default defineConfig({
  ...suite,
  test: { ...suite.test, exclude: [...(suite.test?.exclude ?? []), ...sharing] }
})
