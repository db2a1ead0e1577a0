/**
 * The many small files: those of a process share its modules, because loading those of Effect anew costs each file
 * 1.5 s of a processor, two thirds of all that most of them do. No module keeps state between tests.
 */
import { defineConfig } from "vitest/config"
import suite from "./vitest.config.js"

const report = process.env.TEST_REPORT

export const sharing = [
  "test/*.test.ts",
  "test/{actor,bench,cache,catalog,columns,datastore,examples,internal,laws,lease,liveTable,log,mergePool,mutants}/**/*.test.ts",
  "test/{platform,project,projection,recorder,sql,table,testing,watch}/**/*.test.ts"
]

export default defineConfig({
  ...suite,
  test: {
    ...suite.test,
    include: sharing,
    poolOptions: { forks: { ...suite.test?.poolOptions?.forks, isolate: false } },
    outputFile: report === undefined ? {} : { json: report.replace(/\.json$/, "-shared.json") }
  }
})
