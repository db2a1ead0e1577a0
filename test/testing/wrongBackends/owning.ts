/** Wrong in ownership, in sessions, and between several backends. */
import { Effect } from "effect"
import type { HeldValue, Loaded } from "../../../src/internal/catalog/backend.js"
import { StorageError } from "../../../src/Storage.js"
import { calling, known, type WrongBackend } from "./wrong.js"

const fatal = new StorageError({ kind: "Fatal", outcome: "NotStored", message: "not by this one" })

const wrongOwning: ReadonlyArray<WrongBackend> = [
  calling(
    "gives a name to all who ask",
    ({ own }, disk) => ({
      own: (name) => {
        const owners = known(disk, "owners", () => ({ count: 0 }))
        return Effect.suspend(() => own(`${name} ${++owners.count}`))
      }
    }),
    ["one-owner", "saved-by-its-owner", "taken-over"]
  ),
  calling("compares no token", ({ save }) => ({ save: (batch) => save(batch, undefined) }), [
    "saved-by-its-owner",
    "taken-over"
  ]),
  calling(
    "keeps the token of the last owner alone, whatever its name",
    ({ own, save }, disk) => {
      const last = known(disk, "last", () => ({ token: "" }))
      return {
        own: (name) =>
          Effect.tap(own(name), ({ token }) =>
            Effect.sync(() => {
              last.token = token
            })
          ),
        save: (batch, token) =>
          Effect.suspend(() => (token === undefined || token === last.token ? save(batch, token) : fatal))
      }
    },
    ["saved-by-its-owner"]
  )
]

const wrongSessions: ReadonlyArray<WrongBackend> = [
  calling(
    "leaves a key with each session that it ever had",
    ({ sessions }, disk) => ({
      sessions: {
        ...sessions,
        keysOf: (store, session) =>
          Effect.map(sessions.keysOf(store, session), (keys) => {
            const all = known(disk, `${store}: ${session}`, () => new Set<string>())
            for (const key of keys) all.add(key)
            return [...all]
          })
      }
    }),
    ["keys-of-a-session"]
  ),
  calling(
    "keeps the first lease of a session",
    ({ sessions }, disk) => ({
      sessions: {
        ...sessions,
        extend: (all) => {
          const seen = known(disk, "leases", () => new Set<string>())
          const added = all.filter(({ id }) => !seen.has(id))
          return Effect.andThen(
            sessions.extend(added),
            Effect.sync(() => {
              for (const { id } of added) seen.add(id)
            })
          )
        }
      }
    }),
    ["leases-end"]
  ),
  calling(
    "forgets sessions that have values",
    ({ sessions }, disk) => {
      const forgotten = known(disk, "forgotten", () => new Set<string>())
      return {
        sessions: {
          ...sessions,
          forget: (ids) =>
            Effect.tap(sessions.forget(ids), () =>
              Effect.sync(() => {
                for (const id of ids) forgotten.add(id)
              })
            ),
          ended: (limit) =>
            Effect.map(sessions.ended(limit), (all) => all.filter(({ id }) => !forgotten.has(id)))
        }
      }
    },
    ["forgotten-without-values"]
  )
]

const wrongHandles: ReadonlyArray<WrongBackend> = [
  calling(
    "loads again only after it has appended itself",
    ({ open, save }) => {
      const cached = new Map<string, Loaded>()
      return {
        save: (batch, token) =>
          Effect.tap(save(batch, token), (outcomes) =>
            Effect.sync(() => {
              if (outcomes.some((one) => one._tag === "Saved" && one.revisions.length > 0)) cached.clear()
            })
          ),
        open: (stored) =>
          Effect.map(open(stored), (opened) => ({
            ...opened,
            load: Effect.suspend(() => {
              const found = cached.get(stored.id)
              if (found !== undefined) return Effect.succeed(found)
              return Effect.tap(opened.load, (loaded) => Effect.sync(() => cached.set(stored.id, loaded)))
            })
          }))
      }
    },
    ["backends-see-each-other"]
  ),
  calling(
    "reads the values before it locks",
    ({ save }) => ({
      save: (batch, token) =>
        Effect.suspend(() => {
          const read = new Map<string, HeldValue | undefined>()
          const reading = batch.map((one) => ({
            ...one,
            id: undefined,
            name: `reading ${one.name}`,
            decide: ({ get }: { readonly get: (key: string) => HeldValue | undefined }) => {
              for (const key of one.keys) read.set(`${one.store} ${key}`, get(key))
              return { revisions: [] }
            }
          }))
          const deciding = batch.map((one) => ({
            ...one,
            decide: (locked: Parameters<typeof one.decide>[0]) =>
              one.decide({ ...locked, get: (key) => read.get(`${one.store} ${key}`) })
          }))
          return Effect.andThen(save(reading, token), save(deciding, token))
        })
    }),
    ["one-after-the-other"]
  ),
  calling(
    "fails a batch with a store that was never opened",
    ({ open, save }, disk) => {
      const opened = known(disk, "opened", () => new Set<string>())
      return {
        open: (stored) => Effect.tap(open(stored), () => Effect.sync(() => opened.add(stored.id))),
        save: (batch, token) =>
          Effect.suspend(() => (batch.every(({ store }) => opened.has(store)) ? save(batch, token) : fatal))
      }
    },
    ["no-such-store"]
  ),
  calling(
    "dies when its place is down",
    ({ save }, disk) => ({
      save: (batch, token) => Effect.suspend(() => (disk.down ? Effect.die("gone") : save(batch, token)))
    }),
    ["fails-typed"]
  )
]

export const wrongInOwning: ReadonlyArray<WrongBackend> = [...wrongOwning, ...wrongSessions, ...wrongHandles]
