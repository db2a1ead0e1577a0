/**
 * What is kept of the accepted records when the process ends, by how it ends and what runs it: the exit matrix.
 *
 * The recorder is drained when its scope closes (Actor.make), and a receipt waits for the commit (recorder/saver).
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { runs } from "../support/laws/laws.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import { read } from "../support/project.js"
import { exitMatrix, exitTable, type Host, hosts, type Way, ways } from "../support/recorder/exitMatrix.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"
import type { ExitSetting } from "./exitChild.js"

// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
let script: string
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/exitChild.ts"), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** A process with a recorder under load, whose first records are stored. */
const start = (setting: Omit<ExitSetting, "filename">) =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const child = yield* startChild(script, JSON.stringify({ ...setting, filename }))
    yield* child.said("durable", 3)
    const db = yield* openPlain(filename)
    const stored = Effect.sync(
      () => db.prepare("SELECT id FROM trail ORDER BY id").pluck().all() as ReadonlyArray<number>
    )
    return { child, db, stored }
  })

/** The numbers behind a word in the lines. */
const numbers = ({ lines }: Child, word: string): ReadonlyArray<number> =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(" ")[1]))

/** Stored are the first so many records: in order, without gaps, among them all whose durable save completed. */
const expectPrefix = (child: Child, stored: ReadonlyArray<number>): void => {
  expect(stored).toEqual(stored.map((_, index) => index + 1))
  expect(Math.max(...numbers(child, "durable"))).toBeLessThanOrEqual(stored.length)
}

const signals: ReadonlyArray<string> = ["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"]
const isSignal = (way: Way): way is Way & NodeJS.Signals => signals.includes(way)

const exitCodes: { readonly [W in Way]?: number } = {
  return: 0,
  error: 1,
  exit: 0,
  exception: 1,
  rejection: 1
}

/**
 * The file is locked before the end, so that records are waiting whatever the storage could do: those are kept only by
 * a close that waits for the lock to go, and lost for certain without one.
 */
const prove = (host: Host, way: Way, storage: ExitSetting["storage"]) =>
  Effect.gen(function* () {
    const verdict = exitMatrix[way][host]
    const { child, db, stored } = yield* start({ host, way, storage, closeDeadline: 10_000 })
    if (verdict !== "lost") {
      db.exec("BEGIN IMMEDIATE")
      yield* child.said("status Degraded")
    }
    child.kill(isSignal(way) ? way : "SIGUSR2")
    if (verdict === "kept") {
      // It has tried some times since it began to close, so it would not have left in a hurry.
      yield* child.said("status Closing", 5)
      db.exec("ROLLBACK")
    }
    const { code, signal } = yield* child.ended
    if (db.inTransaction) db.exec("ROLLBACK")

    const kept = yield* stored
    const saved = Math.max(...numbers(child, "saved"))
    expectPrefix(child, kept)
    const closed = child.lines.some((line) => line.startsWith("closed"))
    expect(closed).toBe(verdict === "kept")
    if (isSignal(way)) expect(signal).toBe(verdict === "kept" ? null : way)
    else expect(code).toBe(exitCodes[way])
    switch (verdict) {
      case "kept":
        expect(kept.length).toBe(saved)
        break
      case "last commit":
        expect(kept.length).toBeLessThan(saved)
        break
      case "lost":
        expect([kept.length]).toEqual(numbers(child, "flushed"))
        expect(saved).toBe(kept.length + 2500)
    }
  })

/** As many processes at once as there are cores to test on. */
const two = Effect.unsafeMakeSemaphore(2)

const allHosts = Object.keys(hosts) as ReadonlyArray<Host>

// The thread ends with its process, whatever runs that: one host shows it, and a long run (LAWS_RUNS) proves it of all.
for (const [storage, where, proven] of [
  ["thread", "on the program's thread", allHosts],
  ["worker", "in a worker thread", runs(1) > 1 ? allHosts : (["runMain"] as const)]
] as const) {
  describe.concurrent(`SQLite ${where}, when the process ends by`, () => {
    for (const way of Object.keys(ways) as ReadonlyArray<Way>) {
      for (const host of proven) {
        it.scopedLive(
          `${ways[way]}, under ${hosts[host]}: ${exitMatrix[way][host]}`,
          () => two.withPermits(1)(Effect.scoped(prove(host, way, storage))),
          60_000
        )
      }
    }
  })
}

describe("a close by a signal under NodeRuntime.runMain", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.scopedLive(
      `${signal}: says at its deadline what a storage that is away has not got`,
      () =>
        Effect.gen(function* () {
          const { child, db, stored } = yield* start({
            host: "runMain",
            way: signal,
            storage: "thread",
            closeDeadline: 200
          })
          db.exec("BEGIN IMMEDIATE")
          yield* child.said("status Degraded")
          child.kill(signal)
          yield* child.ended
          db.exec("ROLLBACK")
          const kept = yield* stored
          expectPrefix(child, kept)
          const report = child.lines.find((line) => line.startsWith("closed "))?.slice("closed ".length)
          const { accepted, unsaved } = JSON.parse(report ?? "{}")
          expect(unsaved.length).toBeGreaterThan(0)
          expect([...kept, ...unsaved]).toEqual(Array.from({ length: accepted }, (_, index) => index + 1))
          expect(accepted).toBe(Math.max(...numbers(child, "saved")))
        }),
      30_000
    )
  }
})

/** The README's table of this name, if it has it. */
const tableOf = (readme: string): string | undefined =>
  /^\| the process ends by [^\n]*\n(?:\|[^\n]*\n?)*/m.exec(readme)?.[0].trimEnd()

describe("the README", () => {
  it("has the exit matrix as it is proven here", () => {
    expect(tableOf(read("README.md"))).toBe(exitTable())
  })
})
