/**
 * Tests a storage of your own by the storage laws. The storage appends lines of JSON to a file: it ignores ids that it
 * has stored, syncs before it returns, and cuts off a torn line when it opens.
 *
 * Run: `npm run examples -- 09`. Prints how many laws hold and how many were left out. In a vitest run,
 * `storageLaws(subject)` of `effect-recorder/testing/vitest` makes a test of each law instead.
 */
import assert from "node:assert/strict"
import { mkdtemp, open, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { Storage } from "effect-recorder"
import * as StorageLaws from "effect-recorder/testing/StorageLaws"

interface Visit {
  readonly id: string
  readonly page: string
}

type Visits = Storage.Storage<Visit, "all", ReadonlyArray<Visit>>

const parse = (text: string) => text.split("\n").slice(0, -1)
const read = (file: string) =>
  Effect.map(
    Effect.promise(() => readFile(file, "utf8")),
    parse
  )

const isVisit = ({ id, page }: Visit) => typeof id === "string" && typeof page === "string"

const refused = (batch: ReadonlyArray<Visit>) =>
  new Storage.StorageError({
    kind: "Poison",
    outcome: "NotStored",
    message: "a visit has an id and a page",
    bad: batch.flatMap((visit, index) => (isVisit(visit) ? [] : [{ index, cause: "not a visit" }]))
  })

const jsonLines = (file: string): Effect.Effect<Visits, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const handle = yield* Effect.acquireRelease(
      Effect.promise(() => open(file, "a+")),
      (handle) => Effect.promise(() => handle.close())
    )
    const lines = yield* read(file)
    const known = new Set(lines.map((line) => (JSON.parse(line) as Visit).id))
    let size = Buffer.byteLength(lines.map((line) => `${line}\n`).join(""))
    yield* Effect.promise(() => handle.truncate(size))
    const append = async (batch: ReadonlyArray<Visit>): Promise<Storage.Saved> => {
      const fresh = new Map<string, Visit>()
      for (const visit of batch) if (!known.has(visit.id) && !fresh.has(visit.id)) fresh.set(visit.id, visit)
      const text = [...fresh.values()].map((visit) => `${JSON.stringify(visit)}\n`).join("")
      // Cuts off the rest of an append that failed.
      await handle.truncate(size)
      await handle.appendFile(text)
      await handle.datasync()
      size += Buffer.byteLength(text)
      for (const id of fresh.keys()) known.add(id)
      return { duplicates: batch.length - fresh.size }
    }
    return {
      // An append that has begun cannot be undone: it runs to its end.
      save: (batch) =>
        batch.every(isVisit)
          ? Effect.uninterruptible(Effect.tryPromise(() => append(batch)))
          : Effect.fail(refused(batch)),
      load: () => Effect.map(read(file), (lines) => lines.map((line) => JSON.parse(line) as Visit))
    }
  })

// From here on: what the laws need.

const folder = await mkdtemp(join(tmpdir(), "storage-laws-"))
let places = 0

const subject: StorageLaws.Subject<Visit, "all"> = {
  name: "lines of JSON",
  place: Effect.sync(() => {
    const file = join(folder, `${places++}.jsonl`)
    const ids = Effect.map(read(file), (lines) => lines.map((line) => (JSON.parse(line) as Visit).id))
    return { open: jsonLines(file), peek: ids }
  }),
  capabilities: {
    duplicates: "ignored",
    peeks: "in order",
    loads: "in order",
    handles: "in turn",
    prepares: "no"
  },
  record: (i) => ({ id: `visit ${i}`, page: `/${i}` }),
  idOf: ({ id }) => id,
  all: "all",
  withText: (i, page) => ({ id: `visit ${i}`, page }),
  poison: { "no page": (i) => ({ id: `visit ${i}`, page: undefined as unknown as string }) }
}

const { broken, held, leftOut } = await Effect.runPromise(StorageLaws.run(subject)).finally(() =>
  rm(folder, { recursive: true })
)
for (const { law, message } of broken) console.log(`broken: ${law}: ${message}`)
console.log(
  `${held.length} laws hold; ${leftOut.length} are left out, such as ${leftOut[0]?.law}: ${leftOut[0]?.reason}`
)
assert.deepEqual(broken, [])
assert.equal(held.length + leftOut.length, StorageLaws.laws.length)
