import { inject } from "vitest"
import type {} from "./globalSetup.js"

/**
 * The PostgreSQL servers of this run, for `describe.each`: the embedded one and, with TEST_POSTGRES=all, the system's
 * where one is installed; or the one that DATABASE_URL names. Isolate a file with `createDatabase` or `createSchema`.
 */
export const databaseUrls = (): ReadonlyArray<{ readonly name: string; readonly url: string }> =>
  inject("databases")
