/** Wrong in what is opened, loaded and decided. */
import { Effect } from "effect"
import type { Backend, HeldValue, Save } from "../../../src/internal/catalog/backend.js"
import { calling, known, loading, locking, opening, saving, type WrongBackend } from "./wrong.js"

/** The calls, with the ids of stores under other names. */
const renamed = (
  { open, save, sessions, setVersion }: Backend,
  nameOf: (id: string) => string
): Partial<Backend> => ({
  open: (stored) =>
    Effect.map(open({ ...stored, id: nameOf(stored.id) }), (opened) => ({
      ...opened,
      stored: { ...opened.stored, id: stored.id }
    })),
  save: (batch, token) =>
    Effect.suspend(() =>
      save(
        batch.map((one) => ({ ...one, store: nameOf(one.store) })),
        token
      )
    ),
  setVersion: (id, version) => setVersion(nameOf(id), version),
  sessions: { ...sessions, keysOf: (store, session) => sessions.keysOf(nameOf(store), session) }
})

const wrongOpening: ReadonlyArray<WrongBackend> = [
  calling(
    "returns a store as it was asked for",
    ({ open }) => ({ open: (stored) => Effect.map(open(stored), (opened) => ({ ...opened, stored })) }),
    ["opened-as-stored", "openers-at-once", "sets-the-version"]
  ),
  calling(
    "takes itself for the maker of a store that it has not seen before",
    ({ open }, disk) => ({
      open: (stored) =>
        Effect.suspend(() => {
          const made = known(disk, "made", () => new Set<string>())
          const isNew = !made.has(stored.id)
          return Effect.map(open(stored), (opened) => {
            made.add(stored.id)
            return isNew ? { ...opened, stored } : opened
          })
        })
    }),
    ["openers-at-once"]
  ),
  calling("compares ids without their case", (rightly) => renamed(rightly, (id) => id.toLowerCase()), [
    "stores-apart"
  ]),
  calling(
    "forgets a store when its last scope ends",
    (rightly, disk) => {
      const lives = known(disk, "lives", () => new Map<string, { life: number; openers: number }>())
      const of = (id: string) => {
        const found = lives.get(id) ?? { life: 0, openers: 0 }
        lives.set(id, found)
        return found
      }
      const calls = renamed(rightly, (id) => `${id} ${of(id).life}`)
      return {
        ...calls,
        open: (stored) =>
          Effect.andThen(
            Effect.acquireRelease(
              Effect.sync(() => of(stored.id).openers++),
              () =>
                Effect.sync(() => {
                  if (--of(stored.id).openers === 0) of(stored.id).life++
                })
            ),
            Effect.suspend(() => calls.open!(stored))
          )
      }
    },
    ["kept-after-closing"]
  ),
  calling("keeps the first version", () => ({ setVersion: () => Effect.void }), ["sets-the-version"])
]

const wrongDeciding: ReadonlyArray<WrongBackend> = [
  locking(
    "counts the brackets of an empty list",
    ({ totals }) => ({ totals: { ...totals, bytes: totals.bytes + 2 } }),
    ["counts-what-is-held", "empty-at-first"]
  ),
  locking(
    "shows decisions no sessions",
    ({ get }) => ({
      get: (key) => {
        const { session: _, ...value } = get(key) ?? ({} as HeldValue)
        return value.key === undefined ? undefined : value
      }
    }),
    ["sees-the-locked-store", "hard-data"]
  ),
  saving(
    "shows each decision what the first of its batch has seen",
    (save, disk, batch) => ({
      decide: (locked) => {
        const [first] = batch.filter(({ store }) => store === save.store)
        const seen = known(disk, `seen by ${first?.name}`, () => {
          const keys = batch.flatMap(({ keys }) => keys)
          return new Map(keys.map((key) => [key, locked.get(key)]))
        })
        return save.decide({ ...locked, get: (key) => seen.get(key) })
      }
    }),
    ["sees-earlier-saves"]
  ),
  locking(
    "counts values that were removed",
    ({ totals }, { store }, disk) => {
      const counts = known(disk, "counts", () => new Map<string, number>())
      const records = Math.max(counts.get(store) ?? 0, totals.records)
      counts.set(store, records)
      return { totals: { ...totals, records } }
    },
    ["counts-what-is-held"]
  ),
  locking("shows decisions a clock that is ahead", ({ now }) => ({ now: now + 60_000 }), ["on-one-clock"])
]

const wrongLoading: ReadonlyArray<WrongBackend> = [
  loading(
    "loads in the order of the keys",
    ({ values }) => ({ values: values.slice().sort((a, b) => (a.key < b.key ? -1 : 1)) }),
    ["as-a-map"]
  ),
  opening(
    "reads the head before the values",
    ({ load }) => ({
      load: Effect.gen(function* () {
        const { revision } = yield* load
        return { ...(yield* load), revision }
      })
    }),
    ["loads-of-one-moment"]
  ),
  loading(
    "loads into an object with a prototype",
    ({ values }) => ({ values: values.filter(({ key }) => key !== "__proto__") }),
    ["as-a-map", "hard-keys"]
  ),
  saving(
    "cuts text after 10,000 characters",
    ({ decide }) => ({
      decide: (locked) => {
        const decision = decide(locked)
        if ("_tag" in decision) return decision
        const revisions = decision.revisions.map((changes) =>
          changes.map((change) =>
            change._tag === "Delete"
              ? change
              : {
                  ...change,
                  value: {
                    ...change.value,
                    data:
                      typeof change.value.data === "string"
                        ? change.value.data.slice(0, 10_000)
                        : change.value.data
                  }
                }
          )
        )
        return { ...decision, revisions }
      }
    }),
    ["hard-data"]
  ),
  calling(
    "keeps the data of its callers",
    ({ open, save }, disk) => {
      const kept = known(disk, "kept", () => new Map<string, { seq: number; data: unknown }>())
      const noting = (one: Save): Save => ({
        ...one,
        decide: (locked) => {
          const decision = one.decide(locked)
          if ("_tag" in decision) return decision
          for (const change of decision.revisions.flat()) {
            if (change._tag === "Put") kept.set(`${one.store} ${change.key}`, change.value)
          }
          return decision
        }
      })
      return {
        save: (batch, token) => save(batch.map(noting), token),
        open: (stored) =>
          Effect.map(open(stored), (opened) => ({
            ...opened,
            load: Effect.map(opened.load, (loaded) => ({
              ...loaded,
              values: loaded.values.map((value) => {
                const given = kept.get(`${stored.id} ${value.key}`)
                return given?.seq === value.seq ? { ...value, data: given.data as HeldValue["data"] } : value
              })
            }))
          }))
      }
    },
    ["shares-no-data"]
  )
]

export const wrongInOpening: ReadonlyArray<WrongBackend> = [
  ...wrongOpening,
  ...wrongDeciding,
  ...wrongLoading
]
