/** What the bench calls of its peers, each as a Map whose entries expire. */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { LRUCache } from "lru-cache"

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

/** Stores whose cells carry stamps, as content that is JSON. */
export const makeTinyBase = async () => {
  const { createMergeableStore } = await import("tinybase/mergeable-store")
  return {
    /** The content of a store with these rows. */
    contentOf: (rows) => {
      const store = createMergeableStore("one")
      store.setTable("rows", rows)
      return JSON.stringify(store.getMergeableContent())
    },
    /** A store that holds nothing, and how content is merged into it. */
    make: () => {
      const store = createMergeableStore("other")
      return (content) => store.applyMergeableChanges(content)
    }
  }
}
