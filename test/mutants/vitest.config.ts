import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The laws come last: one of the small tests kills most mutants sooner. */
class LawsLast extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification) =>
      ["/test/internal/", "/test/cache/", "/test/recorder/", "/test/actor/", "/test/laws/"].findIndex(
        (part) => moduleId.includes(part)
      )
    return files.sort((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1))
  }
}

/** The core's fast tests, for one mutant at a time: in one thread, whose modules stay as they are between files. */
export default defineConfig({
  root,
  test: {
    include: [
      "test/{actor,cache,recorder}/*.test.ts",
      "test/internal/{pending,slices,turn}.test.ts",
      "test/laws/{account,bisection,outage}.test.ts"
    ],
    // Short laws: most mutants fall within a few samples.
    env: { LAWS_RUNS: process.env.LAWS_RUNS ?? "0.05" },
    setupFiles: ["test/mutants/seed.ts"],
    sequence: { sequencer: LawsLast },
    pool: "threads",
    poolOptions: { threads: { isolate: false, minThreads: 1, maxThreads: 1 } },
    // What hangs is killed soon, and its scope is not waited for.
    testTimeout: 6_000,
    hookTimeout: 2_000
  }
})
