/**
 * A SQLite file that is replaced again and again under load, while threads and this process store in it.
 *
 * A confirmed record is in a file that stood at the path while the record was saved: in that one of the files which
 * were there between the call and its confirmation, and still in it when all is closed.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Schedule } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { runs } from "../support/laws/laws.js"
import { expectBalance } from "../support/recorder/account.js"
import { heldIn, loggedIn, place, row, storages } from "../support/sqlite/files.js"

const replacements = runs(12)
const handlers = 8

interface Confirmed {
  readonly n: number
  /** The numbers of the files that stood there when it was saved, and when it was confirmed. */
  readonly from: number
  readonly to: number
}

describe("a SQLite file that is replaced under load", () => {
  for (const [name, make] of storages) {
    it.scopedLive(
      `${name}: each confirmed record is in a file that stood there meanwhile`,
      () =>
        Effect.gen(function* () {
          const { file, outside } = yield* place
          const template = path.join(outside, "template.db")
          yield* Effect.scoped(make(template))
          const former = (n: number) => path.join(outside, `former-${n}.db`)
          const confirmed: Array<Confirmed> = []
          let files = 0
          let saved = 0

          const recorder = yield* Effect.flatMap(make(file), (storage) =>
            Recorder.make(storage, { retry: Schedule.spaced("1 millis") })
          )
          const save = Effect.suspend(() => {
            const [n, from] = [saved++, files]
            return Effect.map(recorder.saveDurable(row(n)), () => confirmed.push({ n, from, to: files }))
          })
          const load = yield* Effect.all(
            Array.from({ length: handlers }, () => Effect.forever(save)),
            { concurrency: "unbounded", discard: true }
          ).pipe(Effect.forkScoped)

          for (let n = 0; n < replacements; n++) {
            // Records of its own, so that the load goes on in each file; its end falls anywhere in a save.
            for (let more = 0; more < 3; more++) yield* save
            fs.copyFileSync(template, `${template}-copy`)
            fs.linkSync(file, former(n))
            fs.renameSync(`${template}-copy`, file)
            files++
          }
          for (let more = 0; more < 3; more++) yield* save
          yield* Fiber.interrupt(load)
          const { setAside, stats, unsaved } = yield* recorder.close
          expect([setAside, unsaved]).toEqual([[], []])
          expectBalance(stats)
          expect(stats).toMatchObject({ accepted: saved, stored: saved })

          const paths = [...Array.from({ length: replacements }, (_, n) => former(n)), file]
          const held = paths.map((each) => new Set(heldIn(each)))
          const lost = confirmed.filter(
            ({ from, n, to }) => !held.slice(from, to + 1).some((numbers) => numbers.has(n))
          )
          expect(lost).toEqual([])
          expect(confirmed.length).toBeGreaterThan(replacements * 3)
          if (name.endsWith("log")) {
            for (const [n, each] of paths.entries()) expect(loggedIn(each)).toBe(held[n]?.size)
          }
        }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))),
      runs(30_000)
    )
  }
})
