/** What the bench calls of its peers. */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { LRUCache } from "lru-cache"
import { createMergeableStore } from "tinybase/mergeable-store"

/** An LRU with a time to live, synchronous. */
export const makeLru = (max, ttl) => {
  const cache = new LRUCache({ max, ttl })
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) }
}

/** A cache in one layer of memory; its values are kept as they are. */
export const makeBento = (max, ttl) => {
  const layer = bentostore().useL1Layer(memoryDriver({ maxItems: max, serialize: false }))
  const cache = new BentoCache({ default: "rows", ttl, stores: { rows: layer } })
  return {
    getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
    close: () => cache.disconnectAll()
  }
}

/** An event store on Postgres, which makes its own tables in the schema of the connection. */
export const makeEmmett = async (url) => {
  const { getPostgreSQLEventStore } = await import("@event-driven-io/emmett-postgresql")
  const store = getPostgreSQLEventStore(url, { schema: { autoMigration: "None" } })
  await store.schema.migrate()
  return {
    append: async (stream, events, expected) => {
      const options = expected === undefined ? undefined : { expectedStreamVersion: expected }
      const { nextExpectedStreamVersion } = await store.appendToStream(stream, events, options)
      return nextExpectedStreamVersion
    },
    aggregate: async (stream, initial, evolve) => {
      const { state } = await store.aggregateStream(stream, { initialState: () => initial, evolve })
      return state
    },
    close: () => store.close()
  }
}

/** A store that converges with others of its kind. `unique` names its writer. */
export const makeTinyBase = (unique) => {
  const store = createMergeableStore(unique)
  return {
    setRow: (table, row, cells) => {
      store.setRow(table, row, cells)
    },
    delRow: (table, row) => {
      store.delRow(table, row)
    },
    getRow: (table, row) => store.getRow(table, row),
    listen: (listener) => {
      const id = store.addRowListener(null, null, (_, table, row) => listener(table, row))
      return () => {
        store.delListener(id)
      }
    },
    content: () => store.getMergeableContent(),
    /** Merges the content or the changes of another store. */
    merge: (changes) => {
      store.applyMergeableChanges(changes)
    },
    /** Makes some changes; returns what another store merges of them. */
    changed: (work) => {
      let changes
      store.transaction(work, () => {
        changes = store.getTransactionMergeableChanges()
      })
      return changes
    }
  }
}
