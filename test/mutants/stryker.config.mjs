/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  // The actor, the recorder, the cache and what is pending; the other folders belong to storages and watches, whose tests are not run here.
  mutate: [
    "src/Actor.ts",
    "src/Recorder.ts",
    "src/internal/{acquire,pending,slices,turn}.ts",
    "src/internal/{actor,cache,recorder}/*.ts",
    // The tests of live tables and projections are those of the guard.
    "!src/internal/cache/guard.ts"
  ],
  mutator: {
    // Texts for people, and tags: a changed message fails no user, and the comparisons of tags are mutated as conditions.
    excludedMutations: ["StringLiteral"]
  },
  plugins: ["@stryker-mutator/vitest-runner"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutants/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  // Code that runs as a module loads: each such mutant would need all tests in a new process.
  ignoreStatic: true,
  incremental: true,
  incrementalFile: "reports/mutants/incremental.json",
  reporters: ["json", "progress-append-only"],
  jsonReporter: { fileName: "reports/mutants/report.json" },
  // Stryker would rewrite its paths, which needs a TypeScript below 7. It has none that leave the sandbox.
  tsconfigFile: "test/mutants/none.json",
  tempDirName: ".stryker-tmp",
  ignorePatterns: ["examples", "dist", "test/.tmp", "test/bench", "test/node24", "test/sql"],
  // A runner waits half of its time: TestClock looks twice, some milliseconds apart, whether all fibers are at rest.
  concurrency: 4,
  timeoutMS: 5_000,
  timeoutFactor: 2
}
