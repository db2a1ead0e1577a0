/**
 * Runs Stryker on the core, holds what survived against `survivors.ts`, and writes `results.md`. Arguments go to
 * Stryker: `npm run mutants -- --mutate src/internal/recorder/bisection.ts` looks at one file and leaves the results of the others.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { root } from "../support/project.js"
import { type FileReport, failuresOf, type Judged, judge, resultsOf, scoreOf, totalOf } from "./score.js"
import { harmless } from "./survivors.js"

const least = 85

const stryker = path.join(root, "node_modules/@stryker-mutator/core/bin/stryker.js")
const config = "test/mutants/stryker.config.mjs"
const run = spawnSync(process.execPath, [stryker, "run", config, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit"
})
if (run.status !== 0) process.exit(run.status ?? 1)

const report: { readonly files: Readonly<Record<string, FileReport>> } = JSON.parse(
  readFileSync(path.join(root, "reports/mutants/report.json"), "utf8")
)
const judged: ReadonlyArray<Judged> = Object.entries(report.files).map(([file, found]) =>
  judge(file, found, harmless)
)
writeFileSync(path.join(root, "test/mutants/results.md"), resultsOf(judged, least))

for (const line of failuresOf(judged)) console.log(line)
const score = scoreOf(totalOf(judged))
const unlisted = judged.reduce((sum, { unlisted }) => sum + unlisted.length, 0)
console.log(`score ${score.toFixed(1)} % (at least ${least} %), ${unlisted} survivors without a reason`)
process.exitCode = score >= least && unlisted === 0 ? 0 : 1
