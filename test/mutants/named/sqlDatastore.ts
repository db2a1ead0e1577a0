/** Guards of permanent stores in databases, and of how saves are decided. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/sql/internal/datastore/${file}.ts`
const alone = (name: string) => ({ file: "test/sql/datastore/datastore.test.ts", name })
const together = (name: string) => ({ file: "test/sql/datastore/concurrent.test.ts", name })
const bulk = (name: string) => ({ file: "test/sql/datastore/bulk.test.ts", name })

const batch = alone("saves a batch of several stores, each save on what the saves before it have made")
const owner = together("saves nothing with the token of an owner that another process has succeeded")
const old = together(
  "forgets what is older than a day when it is loaded, and what is below the floor at once"
)
const bound = bulk("keeps its tables within the bound of the log when everything is deleted")
const totals = bulk("has the totals that a count gives, and holds what the log's snapshot has")

export const sqlDatastoreMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "stores in a database: save without the owner's fence",
    file: internal("saving"),
    find: "    yield* fence.prove(run)\n",
    replace: "",
    test: owner,
    needs: "servers"
  },
  {
    name: "stores in a database: save what another one owns",
    file: internal("saving"),
    find: 'if (owner !== "" && owner !== fence.name)',
    replace: 'if (owner === "?" && owner !== fence.name)',
    test: owner,
    needs: "servers"
  },
  {
    name: "stores in a database: give a revision another tag than the one decided on",
    file: internal("saving"),
    find: "entries.push({ ...entry.right, tag: revision.tag })",
    replace: "entries.push({ ...entry.right, tag: revision.tag + 1 })",
    test: batch,
    needs: "servers"
  },
  {
    name: "stores in a database: remember no operations",
    file: internal("writing"),
    find: "for (const one of after.operations)",
    replace: "for (const one of after.operations.slice(1))",
    test: together("does an operation once, whichever process it is sent to"),
    needs: "servers"
  },
  {
    name: "stores in a database: keep what is below the floor",
    file: internal("writing"),
    find: "if (floor > (before.window(client)?.floor ?? 0)) floors.push({ feed, client, floor })",
    replace: "if (floor < 0) floors.push({ feed, client, floor })",
    test: bound,
    needs: "servers"
  },
  {
    name: "stores in a database: leave the keys of a session that has lost them",
    file: internal("writing"),
    find: "if (was !== undefined) left.push({ session: was, feed, key })",
    replace: "",
    test: bound,
    needs: "servers"
  },
  {
    name: "stores in a database: take the floor of the first old operation",
    file: internal("statements"),
    find: 'SET "floor" = (SELECT max(o."n")',
    replace: 'SET "floor" = (SELECT min(o."n")',
    test: old,
    needs: "servers"
  },
  {
    name: "stores in a database: leave the totals as they are",
    file: internal("writing"),
    find: "if (after.values.size > 0) totals.push",
    replace: "if (after.values.size > 1) totals.push",
    test: totals,
    needs: "servers"
  },
  {
    name: "stores in a database: remember the ids of operations in a transaction of their own",
    file: internal("saving"),
    find: "    for (const statement of writeStatements(",
    replace:
      '    yield* run({ ...place.dialect.begin, text: "COMMIT" })\n    yield* run(place.dialect.begin)\n    for (const statement of writeStatements(',
    test: together("stores no row of an operation whose id it cannot remember"),
    needs: "servers"
  },
  {
    name: "stores in a database: save stores in the batches of a recorder",
    file: "src/internal/catalog/saving.ts",
    find: "maxBatchSize = 2500",
    replace: "maxBatchSize = 100",
    test: {
      file: "test/sql/datastore/stores.test.ts",
      name: "save 10,000 sets of a store by at most 10 transactions, of 50 statements on Postgres"
    },
    needs: "servers"
  },
  {
    name: "stores in a database: lock the stores of a batch in the order of its saves",
    file: internal("saving"),
    find: ".sort((a, b) => compareHeads(a.store, b.store))",
    replace: ".slice()",
    test: bulk("locks the stores of batches in one order, whatever order their saves have"),
    needs: "servers"
  },
  {
    name: "saves of a store: go on behind one that is broken",
    file: "src/internal/catalog/decideSaves.ts",
    find: 'last?._tag === "Broken" ? last :',
    replace: 'last?._tag === "Broken" && index < 0 ? last :',
    test: together("leaves out the later saves of a store that breaks, and saves those of others"),
    needs: "servers"
  },
  {
    name: "saves of a store: remember what is at the floor",
    file: "src/internal/catalog/decideSaves.ts",
    find: "n <= floor ? undefined",
    replace: "n < floor ? undefined",
    test: old,
    needs: "servers"
  },
  {
    name: "saves of a store: count a value that was there twice",
    file: "src/internal/catalog/decideSaves.ts",
    find: "- (was === undefined ? 0 : 1)",
    replace: "- (was === undefined ? 0 : 0)",
    test: totals,
    needs: "servers"
  },
  {
    name: "stores in a database: keep of the clients without a reply those that came first",
    file: internal("statements"),
    find: 'ORDER BY d."at" DESC, d."client"',
    replace: 'ORDER BY d."at", d."client"',
    test: together("keeps of the clients without a reply the 10,000 that came last, and all others"),
    needs: "servers"
  },
  {
    name: "stores: let a backend forget nothing while a store stays open",
    file: "src/internal/datastore/catalogCalls.ts",
    find: "now - tidiedAt >= tidyInterval",
    replace: "now - tidiedAt > tidyInterval",
    test: {
      file: "test/sql/datastore/stores.test.ts",
      name: "forget what is remembered for more than a day also while they stay open, looking once an hour"
    },
    needs: "servers"
  }
]
