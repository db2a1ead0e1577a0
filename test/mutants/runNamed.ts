/**
 * Breaks the guards of `named.ts` one by one, and runs for each the test that must fail. The source is changed as it is
 * loaded, never on disk. Beside them the same tests run on the source as it is: they must all pass.
 */
import * as path from "node:path"
import {
  createVitest,
  type Reporter,
  type TestCase,
  type TestModule,
  type UserWorkspaceConfig
} from "vitest/node"
import { root } from "../support/project.js"
import suiteConfig from "../vitest.config.js"
import { type NamedMutant, namedMutants } from "./named.js"

const unchanged = "the source as it is"

const patternOf = (names: ReadonlyArray<string>): RegExp =>
  new RegExp(`(${names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$`)

const { resolve, test: suite = {} } = suiteConfig

/** How the whole suite runs its tests, for those that need its servers and threads. */
const { globalSetup = [], pool = "forks", poolOptions = {} } = suite

const projectOf = (
  name: string,
  chosen: ReadonlyArray<NamedMutant>,
  change: (code: string, id: string) => string
): UserWorkspaceConfig => ({
  plugins: [{ name: "mutant", enforce: "pre", transform: change }],
  ...(resolve === undefined ? {} : { resolve }),
  test: {
    name,
    root,
    include: [...new Set(chosen.map(({ test }) => test.file))],
    ...(chosen.some(({ needs }) => needs === "servers")
      ? { globalSetup, pool, poolOptions }
      : { pool: "threads" }),
    // Laws draw the same values each time.
    setupFiles: [path.join(root, "test/mutants/seed.ts")],
    // A mutant may hang; as it is, none of these tests takes a second.
    testTimeout: 10_000
  }
})

const changed = (mutant: NamedMutant): UserWorkspaceConfig => {
  const { file, find, name, replace } = mutant
  const target = path.join(root, file)
  return projectOf(name, [mutant], (code, id) => (id === target ? code.replace(find, () => replace) : code))
}

type Verdict = "killed" | "survived" | "its test did not run" | "it names what is not in scope"

/** A change that is no program fails any test, and proves nothing of it. */
const isOutOfScope = ({ errors = [] }: ReturnType<TestCase["result"]>): boolean =>
  errors.some(({ message, stack }) => /\b\w+ is not defined\b/.test(`${message} ${stack}`))

const verdictOf = (module: TestModule, test: NamedMutant["test"]): Verdict => {
  const results = [...module.children.allTests()]
    .filter(({ name }) => name === test.name)
    .map((found) => found.result())
  const states = results.map(({ state }) => state)
  if (results.some(isOutOfScope)) return "it names what is not in scope"
  if (states.includes("failed")) return "killed"
  return states.includes("passed") ? "survived" : "its test did not run"
}

const verdicts = new Map<string, Verdict>()
const failures: Array<string> = []

const reporter: Reporter = {
  onTestModuleEnd: (module) => {
    const { name } = module.project
    const mutant = namedMutants.find((each) => each.name === name)
    if (mutant === undefined) {
      for (const test of module.children.allTests("failed")) failures.push(test.fullName)
      if (module.errors().length > 0) failures.push(module.moduleId)
      return
    }
    const verdict = verdictOf(module, mutant.test)
    verdicts.set(name, verdict)
    console.log(`${verdict.padEnd(8)}  ${name}  (${mutant.file})`)
  }
}

// Words on the command line choose the mutants whose names hold them.
const words = process.argv.slice(2)
const chosen = namedMutants.filter(({ name }) => words.every((word) => name.includes(word)))

const vitest = await createVitest("test", {
  root,
  config: false,
  watch: false,
  maxWorkers: 2,
  minWorkers: 1,
  reporters: [reporter],
  projects: [projectOf(unchanged, chosen, (code) => code), ...chosen.map(changed)]
})
for (const project of vitest.projects) {
  const tests = chosen.filter(({ name }) => project.name === name || project.name === unchanged)
  project.config.testNamePattern = patternOf(tests.map(({ test }) => test.name))
}
await vitest.start()
await vitest.close()

const killed = chosen.filter(({ name }) => verdicts.get(name) === "killed")
for (const failure of failures) console.log(`fails without a mutant: ${failure}`)
console.log(`${killed.length} of ${chosen.length} named mutants killed`)
process.exitCode = killed.length === chosen.length && killed.length > 0 && failures.length === 0 ? 0 : 1
