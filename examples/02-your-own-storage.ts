/**
 * Writes a storage of your own, which is two functions: this one appends lines of JSON to a file.
 *
 * Run: `npm run examples -- 02`. Prints how many visits were appended by how many bulk saves.
 */
import assert from "node:assert/strict"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { Recorder, type Storage } from "effect-recorder"

interface Visit {
  readonly visitor: string
  readonly page: string
}

/** Loads the visits of one visitor. */
const jsonLines = (file: string): Storage.Storage<Visit, string, ReadonlyArray<Visit>> => ({
  // One append and one flush to the disk per batch. A recorder never makes two calls at a time. The lines have no id,
  // so a retry after an append that failed half-way may repeat some: see Storage on idempotence.
  save: (batch) => {
    const lines = batch.map((visit) => `${JSON.stringify(visit)}\n`).join("")
    return Effect.tryPromise((signal) => writeFile(file, lines, { flag: "a", flush: true, signal }))
  },
  load: (visitor) =>
    Effect.map(
      Effect.tryPromise(() => readFile(file, "utf8")),
      (text) => {
        const visits = text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Visit)
        return visits.filter((visit) => visit.visitor === visitor)
      }
    )
})

const folder = await mkdtemp(join(tmpdir(), "visits-"))

const program = Effect.gen(function* () {
  const recorder = yield* Recorder.make(jsonLines(join(folder, "visits.jsonl")), { name: "visits" })
  for (let page = 1; page <= 1_000; page++) {
    recorder.unsafeSave({ visitor: page % 4 === 0 ? "alice" : "bob", page: `/page/${page}` })
  }
  const visits = yield* recorder.load("alice")
  assert.equal(visits.length, 250)

  // Closing finishes the outstanding work and hands the storage back, still usable.
  const { stats, storage } = yield* recorder.close
  const again = yield* Option.getOrThrow(storage).load("bob")
  assert.equal(again.length, 750)
  assert.deepEqual([stats.stored, stats.pending], [1_000, 0])
  console.log(`${stats.stored} visits appended in ${stats.saves} bulk saves`)
})

await Effect.runPromise(Effect.scoped(program)).finally(() => rm(folder, { recursive: true }))
