/** Wrong in removes and clears, and between several handles. */
import { Effect } from "effect"
import { monotonicMillis } from "../../../src/internal/time.js"
import * as Tier from "../../../src/Tier.js"
import { newDisk, parts, right, rightStore, spaceOf } from "../rightTier.js"
import { calling, current, differing, failing, known, type WrongTier } from "./wrong.js"

const removing: ReadonlyArray<WrongTier> = [
  calling(
    "fails to remove what is not there",
    ({ get, remove }) => ({
      remove: (keys) =>
        Effect.flatMap(get(keys), (values) => (values.includes(undefined) ? failing : remove(keys)))
    }),
    ["as-a-map", "removes-these-only", "calls-at-once"]
  ),
  differing(
    "clears all namespaces that begin with the name",
    {
      clear: (disk, space) => {
        for (const name of [...disk.spaces.keys()]) if (name.startsWith(space)) disk.spaces.delete(name)
      }
    },
    ["clears-this-namespace"]
  ),
  differing("clears the whole place", { clear: ({ spaces }) => spaces.clear() }, ["clears-this-namespace"]),
  differing("clears nothing", { clear: () => undefined }, [
    "acts-when-run",
    "as-a-map",
    "clears-this-namespace",
    "cleared-for-good",
    "handles-see-each-other",
    "others-replace"
  ]),
  {
    name: "clears by two generations in turns",
    breaks: ["acts-when-run", "as-a-map", "cleared-for-good"],
    open: (disk) => {
      const turns = known(disk, "turns", new Map<string, number>())
      return Tier.make({
        open: (namespace) => {
          const now = () => rightStore(disk, `${namespace} ${(turns.get(namespace) ?? 0) % 2}`)
          return Effect.succeed({
            get: (keys) => now().get(keys),
            put: (entries) => now().put(entries),
            remove: (keys) => now().remove(keys),
            clear: Effect.andThen(
              Effect.suspend(() => now().remove([])),
              Effect.sync(() => turns.set(namespace, (turns.get(namespace) ?? 0) + 1))
            )
          })
        }
      })
    }
  }
]

const handles: ReadonlyArray<WrongTier> = [
  {
    name: "keeps its entries with the tier",
    breaks: ["cleared-for-good", "reopening-keeps", "handles-see-each-other", "highest-of-many"],
    open: (disk) => {
      const own = newDisk()
      return right({
        ...own,
        get down() {
          return disk.down
        }
      })
    }
  },
  calling(
    "remembers what it has read",
    ({ clear, get, put, remove }) => {
      const read = new Map<string, string | undefined>()
      const forget = (keys: ReadonlyArray<string>) => {
        for (const key of keys) read.delete(key)
      }
      return {
        get: (keys) =>
          Effect.map(get(keys), (values) =>
            keys.map((key, n) => {
              if (!read.has(key) || values[n] === undefined) read.set(key, values[n])
              return read.get(key)
            })
          ),
        put: (entries) => Effect.tap(put(entries), () => forget(entries.map(({ key }) => key))),
        remove: (keys) => Effect.tap(remove(keys), () => forget(keys)),
        clear: Effect.tap(clear, () => read.clear())
      }
    },
    ["handles-see-each-other"]
  ),
  calling(
    "fails while another put is under way",
    ({ put }, disk) => ({
      put: (entries) =>
        Effect.suspend(() => {
          if (disk.notes.get("busy") === true) return failing
          disk.notes.set("busy", true)
          return Effect.ensuring(
            put(entries),
            Effect.sync(() => disk.notes.set("busy", false))
          )
        })
    }),
    ["calls-at-once", "highest-of-many"]
  ),
  calling(
    "writes a value in two halves, a short one more slowly",
    ({ remove }, disk, namespace) => ({
      put: (entries) => {
        const write = (half: (old: string, value: string, middle: number) => string) =>
          Effect.map(Effect.clock, (clock) => {
            const now = monotonicMillis(clock)
            const space = spaceOf(disk, namespace)
            for (const entry of entries) {
              const { key, order, ttl, value } = entry
              const held = current(space, key, now)
              if (!parts.replaces(held, entry)) continue
              const text = half(held?.value ?? "", value, Math.ceil(value.length / 2))
              space.set(key, { key, value: text, order, expires: parts.expires(ttl, now, held) })
            }
          })
        const turns = Math.ceil(1_000 / (1 + (entries[0]?.value.length ?? 0)))
        return Effect.gen(function* () {
          yield* remove([])
          yield* write((old, value, middle) => value.slice(0, middle) + old.slice(middle))
          yield* Effect.repeatN(Effect.yieldNow(), Math.min(turns, 5))
          yield* write((old, value, middle) => old.slice(0, middle) + value.slice(middle))
        })
      }
    }),
    ["calls-at-once", "interrupted-puts"]
  ),
  calling(
    "is locked for ever by a put that is interrupted",
    ({ put }, disk) => ({
      put: (entries) =>
        Effect.gen(function* () {
          while (disk.notes.get("locked") === true) yield* Effect.sleep("10 millis")
          disk.notes.set("locked", true)
          yield* put(entries)
          disk.notes.set("locked", false)
        })
    }),
    ["interrupted-puts"]
  )
]

export const wrongKeeping: ReadonlyArray<WrongTier> = [...removing, ...handles]
