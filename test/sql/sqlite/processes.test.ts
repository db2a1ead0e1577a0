/** Several processes on one file, on the compiled code: each one starts, creates the table, and saves. */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { compiled } from "../../support/processes/compiled.js"
import { root } from "../../support/project.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"

const run = promisify(execFile)

// The whole program of a process of its own: it runs its effect itself.
const script = (dist: string, module: string, filename: string, name: string) => `
  import { Effect } from "effect"
  import * as Sqlite from ${JSON.stringify(pathToFileURL(path.join(dist, module)).href)}
  import { Column } from ${JSON.stringify(pathToFileURL(path.join(dist, "Storage.js")).href)}
  const columns = { id: Column.text, n: Column.integer }
  const indexes = [{ name: "t_n", columns: ["n"] }]
  await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const storage = yield* Sqlite.make({ filename: ${JSON.stringify(filename)}, table: "t", columns, id: "id", indexes })
    for (let batch = 0; batch < 20; batch++) {
      const rows = Array.from({ length: 10 }, (_, i) => ({ id: "${name}-" + (batch * 10 + i), n: batch }))
      yield* Effect.retry(storage.save([...rows, { id: "shared-" + batch, n: batch }]), { while: (e) => e.kind === "Transient" })
    }
  })))
`

const starter = (dist: string, module: string, filename: string, name: string): string => {
  const file = path.join(dist, `${name}.mjs`)
  fs.writeFileSync(file, script(dist, module, filename, name))
  return file
}

it.scopedLive(
  "several processes start at once, in threads too, and every record is stored once",
  () =>
    Effect.gen(function* () {
      const dist = yield* compiled("src/tsconfig.json")
      const filename = yield* tempFile
      const starts = [
        "sql/SqliteStorage.js",
        "sql/SqliteWorker.js",
        "sql/SqliteStorage.js",
        "sql/SqliteWorker.js"
      ]
      yield* Effect.forEach(
        starts,
        (module, n) =>
          Effect.promise(() =>
            run(process.execPath, [starter(dist, module, filename, `p${n}`)], {
              cwd: root
            })
          ),
        { concurrency: "unbounded" }
      )
      const db = yield* openPlain(filename)
      const counts = db
        .prepare("SELECT substr(id, 1, 2) AS who, count(*) AS n FROM t GROUP BY who ORDER BY who")
        .all()
      expect(counts).toEqual([...starts.map((_, n) => ({ who: `p${n}`, n: 200 })), { who: "sh", n: 20 }])
      expect(db.prepare("SELECT count(*) FROM pragma_index_list('t') WHERE name = 't_n'").pluck().get()).toBe(
        1
      )
    }),
  60_000
)
